//! Signing in from a terminal: a whole conversation with the server, of which the host's part is
//! played here. It ends with the answer to `initialize`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{Sender, UnboundedSender};

use super::paste;
use super::stored::{self, Where};
use crate::config::{AccessMode, Config, Way};
use crate::core::event::Event;
use crate::edge::stdio::{Lines, Log};
use crate::run::{self, Ended};

/// Signs in.
pub(crate) fn login(config: &Config, warnings: &[String]) -> ExitCode {
    if config.access == AccessMode::Static {
        let log = Log::stderr();
        run::warn(config, warnings, &log);
        log.line(
            "a credential is configured, so nobody has to sign in; leave the header and \
             `APEXMCP_API_KEY` out to sign in with a browser",
        );
        log.close();
        return ExitCode::SUCCESS;
    }
    let runtime = match run::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            run::complain(&format!("cannot start: {error}"), None);
            return ExitCode::FAILURE;
        }
    };
    let log = Log::stderr();
    run::warn(config, warnings, &log);
    if config.login.headless && config.login.way == Way::Browser && io::stdin().is_terminal() {
        log.line(PASTE);
    }
    paste::listen(config, &log);
    let Ended { mut status, signed_in } = runtime.block_on(run::converse(config, host, &log));
    if status == 0 {
        let (text, kept) = outcome(config, signed_in);
        log.line(&text);
        status = if kept { 0 } else { NOT_KEPT };
    }
    log.close();
    runtime.shutdown_background();
    ExitCode::from(status)
}

/// Finds out whether a sign-in works, without asking anybody for one.
pub(super) fn check(config: &Config) -> u8 {
    let Ok(runtime) = run::runtime() else { return 1 };
    let log = Log::stderr();
    let ended = runtime.block_on(run::converse(config, host, &log));
    log.close();
    runtime.shutdown_background();
    ended.status
}

/// A host that says one thing and leaves with the answer.
fn host(lines: Sender<Event>, control: UnboundedSender<Event>) -> Lines {
    let (answers, inbox) = mpsc::channel::<Bytes>();
    lines.try_send(Event::Line(Bytes::from_static(INITIALIZE.as_bytes()))).ok();
    thread::spawn(move || {
        let is_answer = |line: &Bytes| {
            serde_json::from_slice::<Value>(line)
                .is_ok_and(|message| message.get("id") == Some(&Value::from(0)))
        };
        // However it came out: the exit status tells.
        inbox.iter().find(is_answer);
        lines.blocking_send(Event::Eof).ok();
    });
    Lines::new(Answers { answers, line: Vec::new() }, control)
}

/// Takes lines as they are written.
struct Answers {
    answers: mpsc::Sender<Bytes>,
    line: Vec<u8>,
}

impl Write for Answers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' {
                // Who has had the answer listens no more.
                self.answers.send(std::mem::take(&mut self.line).into()).ok();
            } else {
                self.line.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What to do where no browser can be opened.
const PASTE: &str = "the address that follows opens in any browser, on any machine; it ends at a \
                     page that does not load: copy the address of that page, paste it here, and \
                     press Enter";

/// The exit status of a sign-in that worked and that nobody will find: this machine's fault.
const NOT_KEPT: u8 = 6;

/// What a person wants to know in the end, and whether it is what they wanted.
fn outcome(config: &Config, signed_in: bool) -> (String, bool) {
    let server = &config.server_text;
    let stored = stored::read(&Where::of(config));
    match stored {
        Ok(Some(found)) if found.record.tokens.is_some() => (
            format!(
                "you are signed in to {server}; `apexmcp-bridge status` shows it, `logout` ends it"
            ),
            true,
        ),
        _ if !signed_in => (format!("{server} asks for no sign-in"), true),
        _ if matches!(config.login.way, Way::Client { .. }) => {
            (format!("the client is signed in to {server}; nothing is kept for that"), true)
        }
        Err(error) => (format!("error: the sign-in works, and cannot be kept: {error}"), false),
        Ok(_) => ("error: the sign-in works, and is not kept on this machine".to_owned(), false),
    }
}

const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
    r#""capabilities":{},"clientInfo":{"name":"apexmcp-bridge","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}}"#
);
