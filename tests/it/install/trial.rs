//! What is written, and what is shown.

use super::*;

/// The files on which other installers were tried: commented, odd, and one of them cut off.
const HAND_WRITTEN: &[(&str, &str, &str)] = &[
    (
        ZED,
        r#"// Zed settings
//
// For information: https://zed.dev/docs
{
  "theme": "Gruvbox Dark", // evenings
  "buffer_font_size": 15,
  "context_servers": {
    // my files
    "files": { "source": "custom", "command": "mcp-files", "args": ["/srv"], }, /* read-only */
  },
  "vim_mode": true,
}
"#,
        r#"// Zed settings
//
// For information: https://zed.dev/docs
{
  "theme": "Gruvbox Dark", // evenings
  "buffer_font_size": 15,
  "context_servers": {
    // my files
    "files": { "source": "custom", "command": "mcp-files", "args": ["/srv"], }, /* read-only */
    "apexmcp": {
      "source": "custom",
      "command": "PROGRAM",
      "args": ["https://mcp.apexmcp.ai/mcp/acme/sse"]
    },
  },
  "vim_mode": true,
}
"#,
    ),
    (
        CLAUDE,
        "{\r\n\t\"globalShortcut\": \"\",\r\n\t\"mcpServers\": {\r\n\t\t\"git\":   {\"command\": \
         \"git-mcp\"}\r\n\t}\r\n}",
        "{\r\n\t\"globalShortcut\": \"\",\r\n\t\"mcpServers\": {\r\n\t\t\"git\":   {\"command\": \
         \"git-mcp\"},\r\n\t\t\"apexmcp\": {\r\n\t\t\t\"command\": \"PROGRAM\",\r\n\t\t\t\"args\": \
         [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\r\n\t\t}\r\n\t}\r\n}",
    ),
    (
        CODEX,
        "# Codex\nmodel = \"gpt\"   # the good one\n\n[mcp_servers.files] # mine\ncommand = \
         'mcp-files'\nargs = [ '/srv', ]\n\n[tui]\ntheme='dark'\n# the end",
        "# Codex\nmodel = \"gpt\"   # the good one\n\n[mcp_servers.files] # mine\ncommand = \
         'mcp-files'\nargs = [ '/srv', ]\n\n[tui]\ntheme='dark'\n# the \
         end\n\n[mcp_servers.apexmcp]\ncommand = \"PROGRAM\"\nargs = \
         [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\nstartup_timeout_sec = 60",
    ),
    (
        GOOSE,
        "\u{feff}# Goose\nGOOSE_PROVIDER: anthropic # paid\nextensions:\n    developer:\n        \
         bundled: true\n        # keep\n        enabled: true\nGOOSE_MODE: auto\n",
        "\u{feff}# Goose\nGOOSE_PROVIDER: anthropic # paid\nextensions:\n    developer:\n        \
         bundled: true\n        # keep\n        enabled: true\n    apexmcp:\n      name: apexmcp\n      \
         type: stdio\n      cmd: PROGRAM\n      args:\n        - \
         \"https://mcp.apexmcp.ai/mcp/acme/sse\"\n      enabled: true\n      timeout: 300\nGOOSE_MODE: \
         auto\n",
    ),
];

const CUT_OFF: &str = "{\n  // servers\n  \"mcpServers\": {\n    \"a\": { \"command\": \"x\" }\n";

#[test]
fn files_that_other_installers_destroy_stay_as_they_are() {
    let home = Home::new();
    for (file, before, _) in HAND_WRITTEN {
        write(&home, file, before);
    }
    write(&home, CURSOR, CUT_OFF);
    fs::set_permissions(home.path().join(CLAUDE), PermissionsExt::from_mode(0o600)).unwrap();
    fs::set_permissions(home.path().join(ZED), PermissionsExt::from_mode(0o640)).unwrap();

    let (status, stdout, stderr) = run(&home, &["install", "--detected", "acme"]);
    assert_eq!((status, stdout.as_str()), (6, ""), "{stderr}");
    for (file, before, after) in HAND_WRITTEN {
        assert_eq!(text(&home, file), after.replace("PROGRAM", PROGRAM), "{stderr}");
        let [copy] = &*backups(&home, file) else { panic!("{file} has one copy") };
        assert_eq!(fs::read_to_string(copy).unwrap(), *before);
        assert_eq!(mode(copy), mode(&home.path().join(file)));
    }
    assert_eq!((mode(&home.path().join(CLAUDE)), mode(&home.path().join(ZED))), (0o600, 0o640));
    assert_eq!(text(&home, CURSOR), CUT_OFF);
    assert!(
        stderr.contains("is left as it is: line 3, column 17: unterminated object"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: mend the file there"), "{stderr}");

    // Once more changes nothing, not even a time.
    let times = || -> Vec<_> {
        let time = |(file, ..): &(&str, _, _)| {
            let metadata = fs::metadata(home.path().join(file)).unwrap();
            (metadata.ino(), metadata.mtime_nsec())
        };
        HAND_WRITTEN.iter().map(time).collect()
    };
    let before = times();
    let (status, _, stderr) =
        run(&home, &["install", "zed", "claude-desktop", "codex", "goose", "acme"]);
    assert_eq!((status, stderr.matches("`apexmcp` is there already").count()), (0, 4), "{stderr}");
    assert_eq!(times(), before);

    let (status, _, stderr) = run(&home, &["uninstall", "--all"]);
    assert_eq!(status, 6, "the broken one is told of: {stderr}");
    assert!(stderr.contains("nothing in it names this program"), "{stderr}");
    for (file, before, _) in HAND_WRITTEN {
        assert_eq!(text(&home, file), *before);
    }
    assert_eq!(text(&home, CURSOR), CUT_OFF);
}

#[test]
fn a_look_changes_nothing() {
    let home = Home::new();
    write(&home, CURSOR, "{}\n");
    let (status, diff, stderr) = run(&home, &["install", "cursor", "acme", "--dry-run"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(diff.contains("\n+  \"mcpServers\": {\n"), "{diff}");
    assert!(stderr.contains("would be changed"), "{stderr}");
    let (status, diff, stderr) = run(&home, &["install", "goose", "acme", "--dry-run"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(diff.starts_with("--- /dev/null\n+++ "), "{diff}");
    assert!(diff.contains("\n@@ -0,0 +1,9 @@\n+extensions:\n"), "{diff}");
    assert!(stderr.contains("config.yaml` would be made"), "{stderr}");
    let (status, entry, stderr) = run(&home, &["install", "cursor", "goose", "acme", "--print"]);
    assert_eq!(status, 0);
    assert!(entry.contains(&format!("\"command\": \"{PROGRAM}\"")), "{entry}");
    assert!(entry.contains("\nextensions:\n  apexmcp:\n"), "{entry}");
    assert!(stderr.contains(".config/goose/config.yaml` needs this:"), "{stderr}");
    assert_eq!(text(&home, CURSOR), "{}\n");
    assert!(!home.path().join(GOOSE).exists() && !home.state().exists());
    run(&home, &["install", "cursor", "acme"]);
    let installed = text(&home, CURSOR);
    let (status, diff, _) = run(&home, &["uninstall", "cursor", "--dry-run"]);
    assert_eq!(status, 0);
    assert!(diff.contains("-  \"mcpServers\": {"), "{diff}");
    assert_eq!(text(&home, CURSOR), installed);
    // What would be refused is refused here too.
    let file = home.path().join(CURSOR);
    fs::set_permissions(file, PermissionsExt::from_mode(0o444)).unwrap();
    let (status, diff, stderr) = run(&home, &["uninstall", "cursor", "--dry-run"]);
    assert_eq!((status, diff.as_str()), (6, ""), "{stderr}");
    assert!(stderr.contains("is read-only"), "{stderr}");
}

#[test]
fn clients_shows_what_there_is() {
    let home = Home::new();
    write(
        &home,
        CURSOR,
        r#"{"mcpServers": {"x": {"command": "npx", "args": ["mcp-remote", "http://a"]}, "y": {}}}"#,
    );
    write(&home, CODEX, "a = [");
    run(&home, &["install", "cursor", "zed", "acme"]);
    let (status, shown, _) = run(&home, &["clients"]);
    assert_eq!(status, 6);
    assert!(shown.contains("entries  apexmcp (this program), x (mcp-remote), 1 other"), "{shown}");
    assert!(shown.contains("problem  line 1, column 6: unclosed array"), "{shown}");
    assert!(shown.contains("not found: claude-code, "), "{shown}");
    let (status, json, _) = run(&home, &["clients", "--json"]);
    assert_eq!(status, 6);
    let json: Value = serde_json::from_str(&json).unwrap();
    let client = |id: &str| {
        json["clients"].as_array().unwrap().iter().find(|client| client["id"] == id).unwrap()
    };
    assert_eq!(client("cursor")["entries"], serde_json::json!([["mcpServers", "apexmcp"]]));
    assert_eq!(client("cursor")["mcpRemote"], serde_json::json!([["mcpServers", "x"]]));
    assert_eq!(client("cursor")["others"], 1);
    assert!(client("codex")["problem"].is_string());
    assert_eq!(client("goose")["installed"], false);
}

#[test]
fn a_host_that_runs_is_named() {
    let home = Home::new();
    let program = home.path().join("claude-desktop");
    copy_program("/bin/sleep", &program);
    let mut host = Command::new(&program).arg("60").spawn().unwrap();
    let (status, _, stderr) = run(&home, &["install", "claude-desktop", "acme"]);
    host.kill().unwrap();
    host.wait().unwrap();
    assert_eq!(status, 0);
    assert!(stderr.contains("Claude Desktop is running, and may write its own copy"), "{stderr}");
}

#[test]
fn the_entry_starts_a_bridge_that_works() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    let home = Home::new();
    let args = ["install", "cursor", &gateway.http_url("acme"), "--name", "mock"];
    let (status, _, stderr) = run(&home, &args);
    assert_eq!(status, 0, "{stderr}");
    let file: Value = serde_json::from_str(&text(&home, CURSOR)).unwrap();
    let entry = &file["mcpServers"]["mock"];
    let args = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    let mut command = Command::new(entry["command"].as_str().unwrap());
    command.args(args).env_clear().env("HOME", home.path()).current_dir("/");
    let mut bridge = Bridge::spawn(command);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    let tools = bridge.request(1, "tools/list", serde_json::json!({}));
    assert!(tools["result"]["tools"].is_array(), "{tools}");
    check_end(&bridge.end(), 0);
}

#[test]
fn a_link_in_the_path_is_what_stands_in_the_file() {
    let home = Home::new();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let link = bin.join("apexmcp-bridge");
    symlink(PROGRAM, &link).unwrap();
    let path = [("PATH", bin.to_str().unwrap())];
    let (status, _, stderr) = run_with(&home, &["install", "cursor", "acme"], &path);
    assert_eq!(status, 0, "{stderr}");
    let file: Value = serde_json::from_str(&text(&home, CURSOR)).unwrap();
    assert_eq!(file["mcpServers"]["apexmcp"]["command"], link.to_str().unwrap());
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert!(!home.path().join(CURSOR).exists());
}
