//! What is refused, and what is kept.

use super::*;

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
