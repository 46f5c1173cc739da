//! The way back.

use super::*;

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
    assert!(
        stderr.contains("`apexmcp-bridge login https://mcp.apexmcp.ai/mcp/acme/sse` does"),
        "{stderr}"
    );
    let (status, _, stderr) = run(&home, &["uninstall", "cursor"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("`, which was made for it and is deleted"), "{stderr}");
    assert_eq!(fs::read_dir(home.path().join(".cursor")).unwrap().count(), 0, "nor is a copy kept");
    assert_eq!(run(&home, &["uninstall", "--all", "--no-backup"]).0, 0);
    let (status, _, stderr) = run(&home, &["uninstall", "--all"]);
    assert_eq!((status, stderr.as_str()), (0, "no MCP client has such an entry\n"));
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
    let (status, forced, _) = run(&home, &["install", "cursor", "acme", "--force"]);
    assert_eq!((status, forced), (0, diff), "what is replaced is shown again");
    assert!(text(&home, CURSOR).contains(PROGRAM));
    // Twice forced is undone at once.
    assert_eq!(run(&home, &["install", "cursor", "acme", "--debug", "--force"]).0, 0);
    assert!(text(&home, CURSOR).contains("--debug"));
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert_eq!(text(&home, CURSOR), before);
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
    let (status, _, stderr) = run(&home, &["uninstall", "--all"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("Claude Code: `d` is again as before us, in `"), "{stderr}");
    for (file, before) in &files {
        assert_eq!(text(&home, file), *before, "what stood there is back");
    }
}

/// Most hosts write something of their own into the file sooner or later.
#[test]
fn what_was_replaced_is_back_though_others_changed_the_file() {
    let home = Home::new();
    let migrated = [
        (
            CURSOR,
            "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"npx\", // old\n      \
             \"args\": [\"mcp-remote\", \"https://a.example/sse\"]\n    }\n  }\n}\n",
            ("{\n  \"mcp", "{\n  \"n\": 1,\n  \"mcp"),
        ),
        (
            CODEX,
            "[mcp_servers.a]\ncommand = \"npx\"  # old\nargs = [\"mcp-remote\", \
             \"https://a.example/sse\"]\n[mcp_servers.a.env]\nK = \"k\"\n",
            ("[mcp_servers.a]", "model = 1\n\n[mcp_servers.a]"),
        ),
        (
            GOOSE,
            "extensions:\n    a:\n        cmd: npx  # old\n        args: [mcp-remote, \
             https://a.example/sse]\n# the end\n",
            ("# the end\n", "mode: auto\n# the end\n"),
        ),
    ];
    let inline = "[mcp_servers]\na = { command = \"npx\", args = ['mcp-remote', \
                  \"https://a.example/sse\"] }\n";
    for (file, before, (from, to)) in migrated.into_iter().chain([(CODEX, inline, ("[", " \n["))]) {
        write(&home, file, before);
        let (status, _, stderr) = run(&home, &["install", "--migrate"]);
        assert_eq!(status, 0, "{stderr}");
        let ours = text(&home, file);
        assert!(ours.contains(PROGRAM) && !ours.contains("npx"), "{ours}");
        write(&home, file, &ours.replacen(from, to, 1));
        let (status, diff, _) = run(&home, &["uninstall", "--all", "--dry-run"]);
        assert!(status == 0 && diff.contains("npx"), "{diff}");
        let (status, _, stderr) = run(&home, &["uninstall", "--all"]);
        assert_eq!(status, 0, "{stderr}");
        assert!(stderr.contains("`a` is again as before us, in `"), "{stderr}");
        assert_eq!(text(&home, file), before.replacen(from, to, 1));
    }
}

#[test]
fn an_entry_that_was_pointed_elsewhere_is_not_ours_any_more() {
    let home = Home::new();
    // Not the name by which such an entry is known otherwise.
    let program = home.path().join("bridge");
    copy_program(PROGRAM, &program);
    let mut command = Command::new(&program);
    command.args(["install", "cursor", "acme"]).env_clear().env("HOME", home.path());
    command.env("APEXMCP_BRIDGE_STATE_DIR", home.state());
    assert!(command.stderr(Stdio::null()).status().unwrap().success());
    let (_, shown, _) = run(&home, &["clients"]);
    assert!(shown.contains("entries  apexmcp (this program)"), "{shown}");
    let ours = text(&home, CURSOR);
    let theirs = ours.replace(program.to_str().unwrap(), "my-own-server");
    write(&home, CURSOR, &theirs);
    let (status, _, stderr) = run(&home, &["uninstall", "cursor"]);
    assert_eq!(status, 0);
    assert!(stderr.contains("there is no such entry"), "{stderr}");
    assert_eq!(text(&home, CURSOR), theirs);
    write(&home, CURSOR, &ours);
    assert_eq!(run(&home, &["uninstall", "cursor"]).0, 0);
    assert!(!home.path().join(CURSOR).exists());
}
