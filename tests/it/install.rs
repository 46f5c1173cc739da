//! The files of MCP hosts: what stands in them before and after.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use apexmcp_bridge::mock::{Auth, Gateway, Plan};
use serde_json::Value;

use super::support::{Bridge, Home, Person, check_end};

mod back;
mod disturbed;
mod refused;
mod trial;

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

/// By another process: a program that this one has open for writing, and a thread that starts
/// something inherits for a moment, cannot be started.
fn copy_program(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}
