//! The one loop: events in, effects out.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until};

use crate::cli::{self, Invocation};
use crate::config::{Config, Verbosity};
use crate::core::bridge::Bridge;
use crate::core::event::{Effect, Event};
use crate::edge::clock::{self, Clock};
use crate::edge::grant;
use crate::edge::http::Http;
use crate::edge::keeper::Keeper;
use crate::edge::parent;
use crate::edge::redirect;
use crate::edge::signals;
use crate::edge::stdio::{self, Lines, Log, Pipes};
use crate::edge::window::Window;
use crate::report;
use crate::verbs;

/// How many events of one kind may wait for the loop: enough to keep it busy, few enough that a
/// slow host is felt by the gateway and not by the memory.
const INBOX: usize = 64;
/// How long the last lines and a write to the store may take, all of them together: what the two
/// seconds of the way out leave when the gateway has had its share (`core::bridge::closing`).
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Runs the bridge as a program.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match cli::parse(args, &cli::ProcessEnvironment) {
        Invocation::Bridge { config, warnings } => bridge(&config, &warnings),
        Invocation::Login { config, warnings } => verbs::login(&config, &warnings),
        Invocation::Status(request) => verbs::status(&request),
        Invocation::Logout(request) => verbs::logout(&request),
        Invocation::Install(request) => verbs::install(&request),
        Invocation::Migrate(request) => verbs::migrate(&request),
        Invocation::Uninstall(request) => verbs::uninstall(&request),
        Invocation::Clients(request) => verbs::clients(&request),
        Invocation::Print(text) => print(&text),
        Invocation::RedirectHelper => redirect::helper_main(),
        Invocation::Misuse { message, hint } => {
            complain(&message, hint.as_deref());
            ExitCode::from(2)
        }
    }
}

/// What was asked for on the command line is the one thing besides the protocol on stdout.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

pub(crate) fn complain(message: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    // Nobody is left to be told.
    io::stderr().write_all(format!("error: {message}\n{hint}").as_bytes()).ok();
}

fn bridge(config: &Config, warnings: &[String]) -> ExitCode {
    let terminal = io::stdin().is_terminal();
    let (runtime, pipes) = match (runtime(), stdio::claim()) {
        (Ok(runtime), Ok(pipes)) => (runtime, pipes),
        (Err(error), _) | (_, Err(error)) => {
            complain(&format!("cannot start: {error}"), None);
            return ExitCode::FAILURE;
        }
    };
    let log = Log::stderr();
    warn(config, warnings, &log);
    if terminal && Verbosity::Silent < config.verbosity {
        log.line(cli::TERMINAL_HINT);
    }
    let Pipes { input, output } = pipes;
    let host = |lines, control: UnboundedSender<Event>| {
        parent::watch(control.clone());
        stdio::read_lines(input, lines, control.clone());
        Lines::new(output, control)
    };
    let ended = runtime.block_on(converse(config, host, &log));
    // Name look-ups may still block a thread; nobody waits for them.
    runtime.shutdown_background();
    ExitCode::from(ended.status)
}

/// Says what was odd about the command line.
pub(crate) fn warn(config: &Config, warnings: &[String], log: &Log) {
    if Verbosity::Silent < config.verbosity {
        for warning in warnings {
            log.line(&report::printable(&format!("warning: {warning}")));
        }
    }
}

pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    // One thread: the work is waiting, and one owner needs no locks.
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// The exit status.
    pub(crate) status: u8,
    /// Whether somebody is signed in.
    pub(crate) signed_in: bool,
}

/// Carries the conversation from the first line to the last. `host` gets where to put lines, and
/// says where answers go.
pub(crate) async fn converse(
    config: &Config,
    host: impl FnOnce(Sender<Event>, UnboundedSender<Event>) -> Lines,
    log: &Log,
) -> Ended {
    let mut clock = Clock::start();
    let (control, news) = mpsc::unbounded_channel();
    let (sender, lines) = mpsc::channel(INBOX);
    let (net, answers) = mpsc::channel(INBOX);
    signals::watch(control.clone());
    let output = host(sender, control.clone());
    let seed = u64::from_le_bytes(clock::random().unwrap_or_default());
    let mut bridge = Bridge::new(config, seed);
    if let Some(key) = clock::random() {
        bridge.sign_with(&key);
    }
    let mut inbox = Inbox { news, lines, answers };
    let mut edges = Edges::new(config, clock, output, log.clone(), net, control);
    let mut effects = Vec::new();
    loop {
        let deadline = bridge.deadline(clock.now()).map(|deadline| clock.at(deadline));
        let event = inbox.next(&bridge, &edges.output, deadline).await;
        if let Some(deadline) = deadline {
            clock.excuse(deadline);
        }
        let now = clock.now();
        bridge.set_hearing(edges.output.has_room(), now);
        let Some(event) = event else { continue };
        edges.note(&event);
        bridge.handle(event, now, &mut effects);
        for effect in effects.drain(..) {
            if let Effect::Exit(status) = effect {
                edges.close();
                return Ended { status, signed_in: bridge.is_signed_in() };
            }
            edges.perform(effect);
        }
    }
}

/// Where events come from.
struct Inbox {
    /// Few and urgent.
    news: UnboundedReceiver<Event>,
    /// The host's lines; not taken while too many wait.
    lines: Receiver<Event>,
    /// The gateway's answers; not taken while the host does not read.
    answers: Receiver<Event>,
}

impl Inbox {
    /// The next event; `None` if it is time to look again.
    async fn next(
        &mut self,
        bridge: &Bridge,
        output: &Lines,
        deadline: Option<Instant>,
    ) -> Option<Event> {
        let tick = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(event) = self.news.recv() => Some(event),
            Some(event) = self.lines.recv(), if bridge.accepts_lines() => Some(event),
            Some(event) = self.answers.recv(), if output.has_room() => Some(event),
            () = output.room(), if !output.has_room() => None,
            () = tick => Some(Event::Tick),
        }
    }
}

/// What performs effects.
struct Edges {
    clock: Clock,
    verbosity: Verbosity,
    output: Lines,
    log: Log,
    /// What was told last.
    last_line: String,
    http: Http,
    keeper: Keeper,
    window: Window,
    control: UnboundedSender<Event>,
}

impl Edges {
    fn new(
        config: &Config,
        clock: Clock,
        output: Lines,
        log: Log,
        net: Sender<Event>,
        control: UnboundedSender<Event>,
    ) -> Self {
        Self {
            clock,
            verbosity: config.verbosity,
            output,
            log,
            last_line: String::new(),
            http: Http::new(config.network.clone(), &config.server, net),
            keeper: Keeper::new(config, control.clone()),
            window: Window::new(config, control.clone()),
            control,
        }
    }

    /// Forgets the task of an exchange that is over, and keeps whoever looks for a fault informed.
    fn note(&mut self, event: &Event) {
        let Event::Http(id, event) = event else { return };
        if !event.is_open() {
            self.http.finished(*id);
        }
        if self.verbosity == Verbosity::Debug
            && let Some(text) = report::exchange(*id, event)
        {
            self.log.line(&text);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Write(line) => self.output.write(line),
            Effect::Fail(id, failure) => {
                self.output.write(report::json_rpc_error(id.as_ref(), &failure).into());
            }
            Effect::Tell(notice) => {
                // A failure that meets several requests at once is told once.
                let line = report::line(&notice);
                if notice.verbosity() <= self.verbosity && line != self.last_line {
                    self.log.line(&line);
                    self.last_line = line;
                }
            }
            Effect::Http(id, request) => {
                if self.verbosity == Verbosity::Debug {
                    self.log.line(&report::printable(&format!("#{} {request:?}", id.0)));
                }
                self.http.start(id, *request);
            }
            Effect::Abort(id) => self.http.abort(id),
            Effect::NewConnections => self.http.renew(),
            Effect::Grant(id, grant) => {
                let client = self.http.client(&grant.token_endpoint);
                let (control, clock) = (self.control.clone(), self.clock);
                tokio::spawn(async move {
                    let answer = grant::ask(client, *grant, clock).await;
                    control.send(Event::Granted(id, Box::new(answer))).ok();
                });
            }
            Effect::Store(command) => self.keeper.send(command),
            Effect::Redirect(command) => self.window.perform(command),
            Effect::Exit(_) => {}
        }
    }

    /// Writes out what is still on its way to the host, to the store, and to people.
    fn close(self) {
        let end = self.clock.now().after(LAST_WORDS);
        self.window.close();
        for done in [self.output.close(), self.keeper.close(), self.log.flush()] {
            done.recv_timeout(end.saturating_sub(self.clock.now().uptime)).ok();
        }
    }
}
