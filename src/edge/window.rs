//! The bridge's end of the redirect listener's pipes: starts the process, passes commands on, and
//! turns its news into events.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use url::Position;

use super::clock::random;
use super::redirect::{self, News, Page, Scene};
use crate::config::{Caller, Config};
use crate::core::event::{self, Event, RedirectCommand, RedirectEvent};
use crate::secret::Secret;

/// How long the listener may take to write its last page after its pipe was closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// The redirect listener, while there is one.
#[derive(Debug)]
pub struct Window {
    browser: Option<String>,
    desktop: Vec<(String, OsString)>,
    scene: Scene,
    events: UnboundedSender<Event>,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    commands: ChildStdin,
    /// Whether its end is our own doing.
    ended: Arc<AtomicBool>,
}

impl Window {
    /// Nothing is started yet.
    pub fn new(config: &Config, events: UnboundedSender<Event>) -> Self {
        let (browser, desktop) = (config.login.browser.clone(), config.login.desktop.clone());
        let authority = &config.server[Position::BeforeHost..Position::AfterPort];
        let scene = Scene {
            server: authority.to_owned(),
            terminal: matches!(config.caller, Caller::Person { .. }),
        };
        Self { browser, desktop, scene, events, process: None }
    }

    /// Performs a command.
    pub fn perform(&mut self, command: RedirectCommand) {
        let command = match command {
            RedirectCommand::Bind { ports, path, host } => {
                self.end();
                if let Err(error) = self.start() {
                    self.post(RedirectEvent::BindFailed(error.to_string()));
                    return;
                }
                redirect::Command::Bind { ports, path, host }
            }
            RedirectCommand::Open(url) => {
                if self.process.is_none()
                    && let Err(error) = self.start()
                {
                    self.post(RedirectEvent::OpenFailed(error.to_string()));
                    return;
                }
                let url = Secret::new(String::from(*url));
                redirect::Command::Open { url, browser: self.browser.clone() }
            }
            RedirectCommand::Answer { id, page } => {
                let (page, hint) = match page {
                    event::Page::SignedIn => (Page::SignedIn, None),
                    event::Page::Onward(url) => (Page::Onward, Some(url.into())),
                    event::Page::Stale => (Page::Stale, None),
                    event::Page::Denied => (Page::Denied, None),
                    event::Page::Failed(why) => (Page::Failed, Some(why)),
                };
                redirect::Command::Answer { id, page, hint, scene: self.scene.clone() }
            }
            RedirectCommand::Close => return self.end(),
        };
        if let (Some(process), Ok(line)) = (&mut self.process, serde_json::to_string(&command)) {
            // A listener that is gone says so itself.
            process.commands.write_all(format!("{line}\n").as_bytes()).ok();
        }
    }

    /// Ends the listener.
    pub fn close(mut self) {
        self.end();
    }

    fn post(&self, event: RedirectEvent) {
        // A closed inbox is the end of the process.
        self.events.send(Event::Redirect(event)).ok();
    }

    fn start(&mut self) -> std::io::Result<()> {
        let mut command = Command::new(own_program()?);
        command
            .arg(redirect::ARGUMENT)
            .envs(self.desktop.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        imp::detach(&mut command);
        let mut child = command.spawn()?;
        let (Some(commands), Some(news)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("the listener has no pipes"));
        };
        let events = self.events.clone();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        thread::spawn(move || {
            for line in BufReader::new(news).lines() {
                let Ok(Ok(news)) = line.map(|line| serde_json::from_str(&line)) else { break };
                events.send(Event::Redirect(translate(news))).ok();
            }
            if !over.load(Ordering::Relaxed) {
                events.send(Event::Redirect(RedirectEvent::Gone)).ok();
            }
        });
        self.process = Some(Process { child, commands, ended });
        Ok(())
    }

    /// Closes the pipe, which ends the listener, and sees to it that it is gone.
    fn end(&mut self) {
        let Some(Process { mut child, commands, ended }) = self.process.take() else { return };
        ended.store(true, Ordering::Relaxed);
        drop(commands);
        thread::spawn(move || {
            thread::sleep(FAREWELL);
            child.kill().ok();
            child.wait().ok();
        });
    }
}

/// This program, also when its file was replaced by a newer one meanwhile.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "one signature for every system")]
fn own_program() -> std::io::Result<PathBuf> {
    Ok(PathBuf::from("/proc/self/exe"))
}

#[cfg(not(target_os = "linux"))]
fn own_program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    if path.exists() {
        return Ok(path);
    }
    let why = "this program was replaced while it ran; restart your MCP client";
    Err(std::io::Error::other(why))
}

fn translate(news: News) -> RedirectEvent {
    match news {
        News::Bound(port) => {
            if let Some(entropy) = random() {
                RedirectEvent::Bound { port, entropy: Box::new(entropy) }
            } else {
                let reason = "the system has no random bytes to give".to_owned();
                RedirectEvent::BindFailed(reason)
            }
        }
        News::BindFailed(reason) => RedirectEvent::BindFailed(reason),
        News::OpenFailed(reason) => RedirectEvent::OpenFailed(reason),
        News::Redirected { id, query } => RedirectEvent::Redirected { id, query },
    }
}

#[cfg(unix)]
mod imp {
    use std::os::unix::process::CommandExt;

    /// A group of its own: a host that ends the bridge's group must not end the browser.
    pub(super) fn detach(command: &mut super::Command) {
        command.process_group(0);
    }
}

#[cfg(windows)]
mod imp {
    use std::os::windows::process::CommandExt;

    /// `CREATE_NO_WINDOW`: no console flashes up. Never run on Windows so far.
    pub(super) fn detach(command: &mut super::Command) {
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
}
