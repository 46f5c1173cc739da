//! Signing in from a terminal: a whole conversation with the server, of which the host's part is
//! played here. It ends with the answer to `initialize`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{Sender, UnboundedSender};

use super::paste;
use super::stored::{self, Where};
use crate::config::{AccessMode, Config};
use crate::core::event::Event;
use crate::edge::stdio::{Lines, Log};
use crate::run;

/// Signs in.
pub(crate) fn login(config: &Config, warnings: &[String]) -> ExitCode {
    if config.access == AccessMode::Static {
        let hint = "leave the header and `APEXMCP_API_KEY` out to sign in with a browser";
        run::complain("a credential is configured, so nobody has to sign in", Some(hint));
        return ExitCode::from(2);
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
    paste::listen(config, &log);
    let status = runtime.block_on(run::converse(config, host, &log));
    if status == 0 {
        log.line(&outcome(config));
    }
    log.close();
    runtime.shutdown_background();
    ExitCode::from(status)
}

/// Finds out whether a sign-in works, without asking anybody for one.
pub(super) fn check(config: &Config) -> ExitCode {
    let Ok(runtime) = run::runtime() else { return ExitCode::FAILURE };
    let log = Log::stderr();
    let status = runtime.block_on(run::converse(config, host, &log));
    log.close();
    runtime.shutdown_background();
    ExitCode::from(status)
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

/// What a person wants to know in the end.
fn outcome(config: &Config) -> String {
    let place = Where::of(config);
    match stored::read(&place) {
        Ok(Some(found)) if found.record.tokens.is_some() => format!(
            "you are signed in to {}; `apexmcp-bridge status` shows it, `logout` ends it",
            config.server_text
        ),
        _ => format!("{} asks for no sign-in", config.server_text),
    }
}

const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
    r#""capabilities":{},"clientInfo":{"name":"apexmcp-bridge","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}}"#
);
