//! The main job in one command: builds both programs, starts the mock gateway, and carries one
//! conversation through the real bridge, sign-in included, saying each step in plain words.
#![allow(missing_docs, reason = "an example")]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_methods, reason = "the tour is a program of its own")]

use std::collections::HashSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use apexmcp_bridge::mock::{Consent, Gateway, Plan};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    // Run by the bridge instead of a browser: follows the sign-in as a person's browser would.
    if let Some(url) = std::env::args().nth(1).filter(|url| url.starts_with("http")) {
        return browse(&url).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    match tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe tour ended early: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Outcome<()> {
    say(1, "Building the bridge (the first time takes a few minutes)");
    let bridge = build()?;
    say(2, "Starting a mock of the ApexMCP gateway on this machine");
    let gateway = Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() })?;
    let url = gateway.sse_url("acme");
    note(&url);
    say(3, "Starting the bridge, as an MCP client would");
    note(&format!("apexmcp-bridge {url}"));
    let home = tempfile::tempdir()?;
    let mut host = Host::start(&bridge, &url, home.path())?;
    let initialize = host.request(
        1,
        "initialize",
        &json!({ "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": { "name": "tour", "version": "1" } }),
    )?;
    tell_sign_in(&gateway);
    say(5, "Connected: `initialize` is answered");
    note(&format!(
        "server {}, protocol {}",
        initialize.pointer("/serverInfo/name").unwrap_or(&Value::Null),
        initialize.get("protocolVersion").unwrap_or(&Value::Null)
    ));
    host.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
    say(6, "Asking for the list of tools");
    let tools = host.request(2, "tools/list", &json!({}))?;
    let tools = tools.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<_> = tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    note(&names.join(", "));
    say(7, "Calling a tool: query_postgres_orders");
    let sql = "select * from orders limit 2";
    let arguments = json!({ "name": "query_postgres_orders", "arguments": { "sql": sql } });
    let result = host.request(3, "tools/call", &arguments)?;
    let text = result.pointer("/content/0/text").and_then(Value::as_str);
    let rows: Vec<Value> = serde_json::from_str(text.ok_or("the result holds no text")?)?;
    for row in &rows {
        note(&row.to_string());
    }
    if rows.len() != 2 {
        return Err("two rows were expected".into());
    }
    say(8, "Closing the conversation");
    let status = host.end()?;
    note(&format!("the bridge ended with {status}"));
    println!("\nThat is all: sign-in, tools and results, through one small program.");
    if status == 0 { Ok(()) } else { Err("the bridge should have ended with 0".into()) }
}

fn say(step: u32, text: &str) {
    println!("\n{step}. {text}");
}

/// Below a step; what is long goes on in the next line, between words where there are any.
fn note(text: &str) {
    let mut line = String::new();
    for word in text.split_inclusive([' ', ',']) {
        let mut word = word.to_owned();
        if WIDTH < line.chars().count() + word.trim_end().chars().count() && !line.is_empty() {
            println!("   {}", line.trim_end());
            line.clear();
        }
        while WIDTH < word.trim_end().chars().count() {
            let rest = word.chars().skip(WIDTH).collect();
            println!("   {}", word.chars().take(WIDTH).collect::<String>());
            word = rest;
        }
        line.push_str(&word);
    }
    println!("   {}", line.trim_end());
}

/// What fits beside the indentation into a terminal of 80 columns.
const WIDTH: usize = 77;

/// What the gateway saw of the sign-in, in the order in which it happened.
fn tell_sign_in(gateway: &Gateway) {
    say(4, "The gateway demanded a sign-in; this is what the bridge did");
    let mut told = HashSet::new();
    for seen in gateway.requests() {
        let text = match (seen.path.as_str(), seen.status.unwrap_or_default()) {
            (path, 401) if path.ends_with("/sse") => {
                "challenge: the gateway said 401 and where to ask"
            }
            (path, 200) if path.starts_with("/.well-known/oauth-protected-resource") => {
                "discovery: who gives tokens for this endpoint"
            }
            ("/.well-known/oauth-authorization-server", 200) => {
                "discovery: where to register, sign in, and get tokens"
            }
            ("/register", 201) => "registration: the bridge is a client of the gateway now",
            ("/authorize", 303) => "consent: the browser asked, and the answer was yes",
            ("/oauth/token", 200) => "token: the code was traded for tokens, which are stored",
            _ => continue,
        };
        if told.insert(text) {
            note(text);
        }
    }
}

/// Builds the bridge beside this example and returns its path.
fn build() -> Outcome<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--bins", "--manifest-path"]).arg(manifest);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // Cargo tells this program about itself. Build scripts look at some of that, and would run
    // again, and everything behind them, each time.
    let own = ["CARGO_HOME", "CARGO_TARGET_DIR"];
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && !own.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    if !command.status()?.success() {
        return Err("the bridge could not be built".into());
    }
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).ok_or("an unknown target folder")?;
    let name = format!("apexmcp-bridge{}", std::env::consts::EXE_SUFFIX);
    Ok(folder.join(name))
}

/// The client's end of the conversation.
struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Host {
    fn start(bridge: &Path, url: &str, home: &Path) -> Outcome<Self> {
        let mut child = Command::new(bridge)
            .arg(url)
            .arg("--silent")
            .env("APEXMCP_BRIDGE_STATE_DIR", home.join("state"))
            .env("APEXMCP_BRIDGE_TOKEN_STORE", "file")
            .env("APEXMCP_BRIDGE_BROWSER", std::env::current_exe()?)
            .env_remove("APEXMCP_API_KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no stdout")?;
        Ok(Self { child, stdin, lines: read(stdout) })
    }

    fn send(&mut self, message: &Value) -> Outcome<()> {
        let stdin = self.stdin.as_mut().ok_or("stdin is closed")?;
        writeln!(stdin, "{message}")?;
        Ok(())
    }

    fn request(&mut self, id: u64, method: &str, params: &Value) -> Outcome<Value> {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        loop {
            let line = self.lines.recv_timeout(PATIENCE).map_err(|_| "no answer in time")?;
            let answer: Value = serde_json::from_str(&line)?;
            if answer.get("id") != Some(&json!(id)) {
                continue;
            }
            if let Some(error) = answer.get("error") {
                return Err(format!("`{method}` was answered with {error}").into());
            }
            return Ok(answer.get("result").cloned().unwrap_or_default());
        }
    }

    fn end(mut self) -> Outcome<i32> {
        drop(self.stdin.take());
        Ok(self.child.wait()?.code().unwrap_or(-1))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It has ended already, or the tour has failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            sender.send(line).ok();
        }
    });
    lines
}

/// Follows the redirects of the sign-in to its end.
fn browse(url: &str) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let answer = runtime.block_on(async { client.get(url).timeout(PATIENCE).send().await })?;
    if answer.status().is_success() { Ok(()) } else { Err("the sign-in page failed".into()) }
}
