//! Where the files are, on every system.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

/// A disk that holds these paths, and their folders.
struct Fixture(BTreeSet<PathBuf>);

impl Fixture {
    fn new(paths: &[&str]) -> Self {
        let paths = paths.iter().flat_map(|path| Path::new(path).ancestors().map(PathBuf::from));
        Self(paths.collect())
    }
}

impl Disk for Fixture {
    fn exists(&self, path: &Path) -> bool {
        self.0.contains(path)
    }

    fn names(&self, dir: &Path) -> Vec<String> {
        let inner = self.0.iter().filter(|path| path.parent() == Some(dir));
        inner.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }
}

fn places(system: System) -> Places {
    Places {
        system,
        home: Some("/h".into()),
        config: None,
        flatpak_config: None,
        roaming: (system == System::Windows).then(|| "/r".into()),
        local: (system == System::Windows).then(|| "/l".into()),
        codex: None,
        claude_code: None,
    }
}

#[track_caller]
fn check(id: &str, places: &Places, disk: &[&str], file: &str, installed: bool) {
    let found = locate(known(id), places, &Fixture::new(disk)).unwrap().unwrap();
    assert_eq!(found, Location { file: file.into(), installed }, "{id}");
}

#[test]
fn each_system_has_its_own() {
    use System::{Linux, Mac, Windows};
    for (id, system, file) in [
        ("claude-code", Linux, "/h/.claude.json"),
        ("claude-desktop", Linux, "/h/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", Mac, "/h/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", Windows, "/r/Claude/claude_desktop_config.json"),
        ("codex", Windows, "/h/.codex/config.toml"),
        ("cursor", Mac, "/h/.cursor/mcp.json"),
        ("gemini", Linux, "/h/.gemini/settings.json"),
        ("goose", Mac, "/h/.config/goose/config.yaml"),
        ("goose", Windows, "/r/Block/goose/config/config.yaml"),
        ("lm-studio", Linux, "/h/.lmstudio/mcp.json"),
        ("vscode", Linux, "/h/.config/Code/User/mcp.json"),
        ("vscode", Mac, "/h/Library/Application Support/Code/User/mcp.json"),
        ("vscode", Windows, "/r/Code/User/mcp.json"),
        ("windsurf", Linux, "/h/.codeium/windsurf/mcp_config.json"),
        ("zed", Linux, "/h/.config/zed/settings.json"),
        ("zed", Mac, "/h/.config/zed/settings.json"),
        ("zed", Windows, "/r/Zed/settings.json"),
    ] {
        check(id, &places(system), &["/h"], file, false);
        check(id, &places(system), &[file], file, true);
    }
}

#[test]
fn a_folder_of_its_own_tells_that_a_host_is_there() {
    let linux = places(System::Linux);
    check("cursor", &linux, &["/h/.cursor"], "/h/.cursor/mcp.json", true);
    check("claude-code", &linux, &["/h/.claude"], "/h/.claude.json", true);
    check("codex", &linux, &["/h/.codex"], "/h/.codex/config.toml", true);
    check("codex", &linux, &["/h"], "/h/.codex/config.toml", false);
    // The second place, where the first one is empty.
    let old = "/h/.cache/lm-studio/mcp.json";
    check("lm-studio", &linux, &[old], old, true);
    check("lm-studio", &linux, &[old, "/h/.lmstudio/mcp.json"], "/h/.lmstudio/mcp.json", true);
    let cli = "/h/.cline/data/settings/cline_mcp_settings.json";
    check("cline", &linux, &[cli], cli, true);
}

#[test]
fn variables_are_heeded() {
    let mut linux = places(System::Linux);
    linux.config = Some("/c".into());
    linux.codex = Some("/x".into());
    linux.claude_code = Some("/y".into());
    check("zed", &linux, &[], "/c/zed/settings.json", false);
    check("codex", &linux, &["/x"], "/x/config.toml", true);
    check("claude-code", &linux, &[], "/y/.claude.json", false);
    linux.flatpak_config = Some("/f".into());
    check("zed", &linux, &[], "/f/zed/settings.json", false);
    check("goose", &linux, &[], "/c/goose/config.yaml", false);
    linux.home = None;
    assert_eq!(locate(known("cursor"), &linux, &Fixture::new(&[])), Ok(None));
}

/// The packaged Claude Desktop reads a file of its own, and one in Roaming is a decoy.
#[test]
fn a_packaged_windows_application_sees_its_own_file_only() {
    let windows = places(System::Windows);
    let file = |package: &str| {
        format!("/l/Packages/{package}/LocalCache/Roaming/Claude/claude_desktop_config.json")
    };
    let decoy = "/r/Claude/claude_desktop_config.json";
    let (one, two) = ("Claude_pzs8sxrjxfjjc", "Claude_other");
    let package = |name: &str| format!("/l/Packages/{name}");
    check("claude-desktop", &windows, &[decoy, &package(one)], &file(one), true);
    check("claude-desktop", &windows, &[&file(one), &package(two)], &file(one), true);
    check("claude-desktop", &windows, &["/l/Packages/Other"], decoy, false);
    for disk in [[package(one), package(two)], [file(one), file(two)]] {
        let disk: Vec<&str> = disk.iter().map(String::as_str).collect();
        let found = locate(known("claude-desktop"), &windows, &Fixture::new(&disk));
        assert_eq!(found, Err(Ambiguous(vec![file(two).into(), file(one).into()])));
    }
}

#[test]
fn hosts_are_in_order_and_told_apart() {
    let ids: Vec<_> = HOSTS.iter().map(|host| host.id).collect();
    assert!(ids.is_sorted() && ids.len() == 11, "{ids:?}");
}
