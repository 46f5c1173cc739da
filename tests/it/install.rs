//! The files of MCP hosts: what stands in them before and after.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use apexmcp_bridge::mock::{Auth, Gateway, Plan};
use serde_json::Value;

use super::support::{Bridge, Home, Person, check_end};

const PROGRAM: &str = env!("CARGO_BIN_EXE_apexmcp-bridge");

const ZED: &str = ".config/zed/settings.json";
const CLAUDE: &str = ".config/Claude/claude_desktop_config.json";
const CODEX: &str = ".codex/config.toml";
const GOOSE: &str = ".config/goose/config.yaml";
const CURSOR: &str = ".cursor/mcp.json";

fn run(home: &Home, args: &[&str]) -> (i32, String, String) {
    run_with(home, args, &[])
}

fn run_with(home: &Home, args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = home.command(Person::Present);
    command.args(args).envs(env.iter().copied()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn write(home: &Home, file: &str, text: &str) -> PathBuf {
    let path = home.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn text(home: &Home, file: &str) -> String {
    fs::read_to_string(home.path().join(file)).unwrap()
}

/// The copies beside a file.
fn backups(home: &Home, file: &str) -> Vec<PathBuf> {
    let path = home.path().join(file);
    let start = format!("{}.apexmcp-", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_copy = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&start);
    entries.filter(is_copy).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

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
    for (file, before, _) in HAND_WRITTEN {
        assert_eq!(text(&home, file), *before);
    }
    assert_eq!(text(&home, CURSOR), CUT_OFF);
}

#[test]
fn what_was_not_there_is_gone_again() {
    let home = Home::new();
    fs::create_dir_all(home.path().join(".cursor")).unwrap();
    let empty = write(&home, ".gemini/settings.json", "{\"mcpServers\":{}}");
    let bare = write(&home, CODEX, "model = 1\n\n\n");
    let args = ["install", "cursor", "gemini", "codex", "windsurf", "acme"];
    let (status, _, stderr) = run(&home, &args);
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("warning: Windsurf was not found on this machine"), "{stderr}");
    assert_eq!(mode(&home.path().join(CURSOR)), 0o600);
    assert_eq!(run(&home, &["uninstall", "--all", "--no-backup"]).0, 0);
    assert!(!home.path().join(CURSOR).exists());
    assert_eq!(fs::read_to_string(empty).unwrap(), "{\"mcpServers\":{}}");
    assert_eq!(fs::read_to_string(bare).unwrap(), "model = 1\n\n\n");
    let (status, _, stderr) = run(&home, &["uninstall", "gemini"]);
    assert_eq!(status, 0);
    assert!(stderr.contains("Gemini CLI: there is no such entry"), "{stderr}");
}

#[test]
fn what_others_write_meanwhile_stays() {
    let home = Home::new();
    let before = "{\n  \"mcpServers\": {\n    \"a\": {}\n  }\n}\n";
    write(&home, CURSOR, before);
    run(&home, &["install", "cursor", "acme"]);
    run(&home, &["install", "cursor", "https://mcp.example.com/mcp", "--name", "second"]);
    let both = text(&home, CURSOR);
    write(&home, CURSOR, &both.replace("\"a\": {}", "\"a\": {\"new\": 1}"));
    let (status, _, stderr) = run(&home, &["uninstall", "cursor", "--name", "apexmcp"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(!text(&home, CURSOR).contains("apexmcp.ai"));
    assert!(text(&home, CURSOR).contains("https://mcp.example.com/mcp"));
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert_eq!(text(&home, CURSOR), before.replace("{}", "{\"new\": 1}"));
}

#[test]
fn a_file_that_was_put_back_is_a_new_one() {
    let home = Home::new();
    for before in ["{}", "{ \"other\": 1 }"] {
        write(&home, CURSOR, before);
        assert_eq!(run(&home, &["install", "cursor", "acme"]).0, 0);
        assert!(text(&home, CURSOR).contains(PROGRAM));
    }
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert_eq!(text(&home, CURSOR), "{ \"other\": 1 }");
}

#[test]
fn an_entry_that_differs_is_shown_and_kept() {
    let home = Home::new();
    let before = "{\"mcpServers\": {\n  \"apexmcp\": {\"command\": \"npx\", \"args\": [\"x\"],\n    \
                  \"env\": {\"API_KEY\": \"s3cret\"}}\n}}\n";
    write(&home, CURSOR, before);
    let (status, diff, stderr) = run(&home, &["install", "cursor", "acme"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("another entry `apexmcp` is there already"), "{stderr}");
    assert!(stderr.contains("hint: `--force` replaces it"), "{stderr}");
    assert!(diff.contains("-    \"env\": {\"API_KEY\": \"…\"}}"), "{diff}");
    assert!(diff.contains(&format!("+    \"command\": \"{PROGRAM}\"")), "{diff}");
    assert!(!diff.contains("s3cret"), "{diff}");
    assert_eq!(text(&home, CURSOR), before);
    let (status, _, stderr) = run(&home, &["uninstall", "cursor", "--name", "apexmcp"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("does not start this program"), "{stderr}");
    assert_eq!(run(&home, &["install", "cursor", "acme", "--force"]).0, 0);
    assert!(text(&home, CURSOR).contains(PROGRAM));
    // Twice forced is undone at once.
    assert_eq!(run(&home, &["install", "cursor", "acme", "--debug", "--force"]).0, 0);
    assert!(text(&home, CURSOR).contains("--debug"));
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert_eq!(text(&home, CURSOR), before);
}

/// Package managers keep a link in a folder of the PATH, and change what is behind it.
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

#[test]
fn a_look_changes_nothing() {
    let home = Home::new();
    write(&home, CURSOR, "{}\n");
    let (status, diff, stderr) = run(&home, &["install", "cursor", "acme", "--dry-run"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(diff.contains("\n+  \"mcpServers\": {\n"), "{diff}");
    assert!(stderr.contains("would be changed"), "{stderr}");
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
}

#[test]
fn links_are_followed_and_copies_are_few() {
    let home = Home::new();
    let real = write(&home, "dotfiles/mcp.json", "{}\n");
    let link = home.path().join(CURSOR);
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(&real, &link).unwrap();
    for n in 0..8 {
        let name = format!("n{n}");
        assert_eq!(run(&home, &["install", "cursor", "acme", "--name", &name]).0, 0);
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(backups(&home, "dotfiles/mcp.json").len(), 5);
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert_eq!(fs::read_to_string(&real).unwrap(), "{}\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    fs::remove_file(&real).unwrap();
    let (status, _, stderr) = run(&home, &["install", "cursor", "acme"]);
    assert_eq!(status, 6);
    assert!(stderr.contains("is a link to `"), "{stderr}");
}

#[test]
fn files_that_are_not_ours_to_change_are_refused() {
    let home = Home::new();
    let file = write(&home, CURSOR, "{}\n");
    for (mode, expected) in [(0o666, "can be written by everybody"), (0o444, "is read-only")] {
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let (status, _, stderr) = run(&home, &["install", "cursor", "acme"]);
        assert_eq!(status, 6);
        assert!(stderr.contains(expected) && stderr.contains("hint: "), "{stderr}");
        assert_eq!(text(&home, CURSOR), "{}\n");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (status, _, stderr) = run(&home, &["install", "cursor", "acme"]);
    assert_eq!(status, 6);
    assert!(stderr.contains("is no file"), "{stderr}");
    let (status, _, stderr) = run(&Home::new(), &["install", "--detected", "acme"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("no MCP client was found"), "{stderr}");
}

#[test]
fn mcp_remote_goes_from_every_host_at_once() {
    let home = Home::new();
    let entry = r#""command": "npx", "args": ["-y", "mcp-remote@latest", "https://a.example/sse", "--header", "X:${K}"]"#;
    let ours = format!(
        r#""command": "{PROGRAM}", "args": ["https://a.example/sse", "--header", "X:${{K}}"]"#
    );
    let files = [
        (CURSOR, format!("{{\"mcpServers\": {{\"a\": {{{entry}, \"env\": {{\"K\": \"k\"}}}}}}}}")),
        (
            CLAUDE,
            format!("{{\n  \"mcpServers\": {{\n    \"b\": {{{entry}}},\n    \"c\": {{}}\n  }}\n}}"),
        ),
        (
            ".claude.json",
            format!("{{\"projects\": {{\"/w\": {{\"mcpServers\": {{\"d\": {{{entry}}}}}}}}}}}"),
        ),
        (ZED, "{\"theme\": \"x\"} // mcp-remote".to_owned()),
    ];
    for (file, before) in &files {
        write(&home, file, before);
    }
    let (status, diff, _) = run(&home, &["install", "--migrate", "--dry-run"]);
    assert_eq!((status, diff.matches("--- ").count()), (0, 3), "{diff}");
    let (status, _, stderr) = run(&home, &["install", "--migrate", "cursor"]);
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(text(&home, CLAUDE), files[1].1);
    let (status, _, stderr) = run(&home, &["install", "--migrate"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("`d` starts this program now"), "{stderr}");
    assert!(stderr.contains("sign-ins of mcp-remote are taken over"), "{stderr}");
    for (file, before) in &files {
        assert_eq!(text(&home, file), before.replace(entry, &ours));
    }
    let (status, _, stderr) = run(&home, &["install", "--migrate"]);
    assert_eq!(status, 0);
    assert!(stderr.contains("no MCP client starts mcp-remote"), "{stderr}");
    assert_eq!(run(&home, &["uninstall", "--all"]).0, 0);
    for (file, before) in &files {
        assert_eq!(text(&home, file), *before, "what stood there is back");
    }
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
    fs::copy("/bin/sleep", &program).unwrap();
    let mut host = Command::new(&program).arg("60").spawn().unwrap();
    let (status, _, stderr) = run(&home, &["install", "claude-desktop", "acme"]);
    host.kill().unwrap();
    host.wait().unwrap();
    assert_eq!(status, 0);
    assert!(stderr.contains("Claude Desktop is running, and may write its own copy"), "{stderr}");
}

#[test]
fn a_key_gets_into_a_file_only_on_request() {
    let home = Home::new();
    let key = [("APEXMCP_API_KEY", "apx_live_sk_0123")];
    let (status, _, stderr) = run_with(&home, &["install", "cursor", "acme"], &key);
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("is not written into any file"), "{stderr}");
    assert!(!text(&home, CURSOR).contains("apx_live"));
    let args = ["install", "cursor", "acme", "--write-key"];
    let (status, diff, stderr) = run_with(&home, &args, &key);
    assert_eq!(status, 1, "{stderr}");
    assert!(!diff.contains("apx_live") && diff.contains("\"APEXMCP_API_KEY\": \"…\""), "{diff}");
    let args = [&args[..], &["--force"]].concat();
    assert_eq!(run_with(&home, &args, &key).0, 0);
    assert!(text(&home, CURSOR).contains("\"APEXMCP_API_KEY\": \"apx_live_sk_0123\""));
    let journal = home.state().join("installed.json");
    assert_eq!(mode(&journal), 0o600);
    let state = fs::read_to_string(journal).unwrap();
    assert!(!state.contains("apx_live"), "the key is in one file: {state}");
}

/// What stands in the file afterwards works.
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
