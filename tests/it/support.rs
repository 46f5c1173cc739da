//! The bridge as a host would start it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A home directory that no other test knows.
pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// How often a browser was opened.
    pub fn browsers(&self) -> usize {
        let log = std::fs::read_to_string(self.dir.path().join("browsers")).unwrap_or_default();
        log.lines().count()
    }

    /// Waits until a browser was opened.
    pub fn wait_for_browser(&self) {
        let started = Instant::now();
        while self.browsers() == 0 {
            assert!(started.elapsed() < PATIENCE, "no browser was opened");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A browser: follows every redirect to the end and keeps the last page.
    fn browser(&self) -> PathBuf {
        self.script("browser", "exec curl -sSL --max-time 20 -o \"$HOME/page.html\" \"$1\"")
    }

    /// A browser in front of which nobody sits.
    fn idle_browser(&self) -> PathBuf {
        self.script("idle", ":")
    }

    /// A browser in front of which somebody takes two seconds.
    fn slow_browser(&self) -> PathBuf {
        let work = "sleep 2; exec curl -sSL --max-time 20 -o \"$HOME/page.html\" \"$1\"";
        self.script("slow", work)
    }

    /// Does what a person would do in the window that was opened first.
    pub fn finish_sign_in(&self) {
        let log = std::fs::read_to_string(self.dir.path().join("browsers")).unwrap();
        let page = self.dir.path().join("page.html");
        let url = log.lines().next().unwrap();
        let status = Command::new("curl")
            .args(["-sSL", "--max-time", "20", "-o"])
            .arg(page)
            .arg(url)
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn script(&self, name: &str, work: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        let text = format!("#!/bin/sh\necho \"$1\" >> \"$HOME/browsers\"\n{work}\n");
        std::fs::write(&path, text).unwrap();
        make_executable(&path);
        path
    }

    /// The program, in front of this person and in an environment that says nothing else.
    pub fn command(&self, person: Person) -> Command {
        let browser = match person {
            Person::Present => self.browser(),
            Person::Slow => self.slow_browser(),
            Person::Absent => self.idle_browser(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_apexmcp-bridge"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("APEXMCP_BRIDGE_STATE_DIR", self.state())
            .env("APEXMCP_BRIDGE_BROWSER", browser)
            .env("APEXMCP_BRIDGE_TOKEN_STORE", "file");
        command
    }

    pub fn page(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("page.html")).unwrap_or_default()
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn make_executable(_: &Path) {}

/// Who sits in front of the browser.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Present,
    Slow,
    Absent,
}

/// A running bridge.
pub struct Bridge {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    pub seen: Vec<String>,
}

/// How it ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<String>,
    pub stderr: String,
    pub took: Duration,
}

impl Bridge {
    pub fn start(home: &Home, args: &[&str]) -> Self {
        Self::start_with(home, Person::Present, args, &[])
    }

    pub fn start_with(home: &Home, person: Person, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = home.command(person);
        command.args(args).envs(env.iter().copied());
        Self::spawn(command)
    }

    /// Starts the program that the command is, or ends in.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut errors = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).ok();
            text
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr: Some(stderr), seen: Vec::new() }
    }

    pub fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub fn request(&mut self, id: u64, method: &str, params: Value) -> Value {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&message.to_string());
        self.answer(id)
    }

    /// The answer to a request; what comes before it is kept.
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// The next line, which must be one JSON object.
    pub fn next(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            self.child.kill().ok();
            let stderr = self.stderr.take().map(|thread| thread.join().unwrap());
            panic!("no line; seen {:?}; stderr {stderr:?}", self.seen);
        });
        let message: Value = serde_json::from_str(&line).unwrap();
        assert!(message.is_object(), "{line}");
        self.seen.push(line);
        message
    }

    /// The next line, whatever it is.
    pub fn next_line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// The next line, if one comes in this time; it counts as seen.
    pub fn line_within(&mut self, wait: Duration) -> Option<String> {
        let line = self.lines.recv_timeout(wait).ok()?;
        self.seen.push(line.clone());
        Some(line)
    }

    /// Sends the handshake of a revision and returns the result.
    pub fn handshake(&mut self, version: &str) -> Value {
        let params = json!({ "protocolVersion": version,
            "capabilities": { "sampling": {}, "elicitation": {}, "roots": {} },
            "clientInfo": { "name": "it", "version": "1" } });
        let answer = self.request(0, "initialize", params);
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }

    pub fn call(&mut self, id: u64, tool: &str, arguments: Value) -> Value {
        self.request(id, "tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Ends it as a host that has lost its patience.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes stdin and waits for the end.
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        self.ended()
    }

    /// Waits for an end that has another reason.
    pub fn ended(mut self) -> Ended {
        let started = Instant::now();
        let status = self.wait(started);
        let took = started.elapsed();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.seen.push(line);
        }
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Ended { status, stdout: std::mem::take(&mut self.seen), stderr, took }
    }

    fn wait(&mut self, started: Instant) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the bridge does not end");
            // The only way to wait for a process with a limit.
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asserts that it ended with this status, and in time.
pub fn check_end(ended: &Ended, status: i32) {
    assert_eq!(ended.status.code(), Some(status), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
    for line in &ended.stdout {
        let message: Value = serde_json::from_str(line).unwrap();
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
    }
}

/// Starts a mock gateway; it ends with its stdin, and tells in a line when it is ready.
pub fn start_mock(mut command: Command) -> (Child, Value) {
    let mut child = command
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}
