//! The mock gateway as a program.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::arguments::{self, Arguments};
use super::credentials::MachineClient;
use super::fault;
use super::gateway::Gateway;

/// Runs the mock gateway as a program.
pub fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    if let Some(help) = fault_help(&given) {
        writeln!(io::stdout().lock(), "{help}").ok();
        return ExitCode::SUCCESS;
    }
    let given = match arguments::with_plan_file(given) {
        Ok(given) => given,
        Err(problem) => return fail(&problem, 2),
    };
    let arguments = match Arguments::try_parse_from(given) {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` is an "error" that goes to stdout and ends well.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot start: {error}{}", hint(&error)), 1),
    }
}

/// What to do about it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; hint: another program has this port, perhaps another mock: choose another one, or 0 for any free one"
        }
        io::ErrorKind::AddrNotAvailable => "; hint: --bind takes an address of this machine",
        io::ErrorKind::PermissionDenied => {
            "; hint: choose a port above 1023, and a file that may be written"
        }
        _ => "",
    }
}

fn fail(problem: &str, status: u8) -> ExitCode {
    writeln!(io::stderr().lock(), "error: {problem}").ok();
    ExitCode::from(status)
}

/// `--help faults`, and `--help faults.md` for the documentation.
fn fault_help(given: &[OsString]) -> Option<String> {
    let asks = |topic: &str| given.windows(2).any(|it| it == ["--help", topic]);
    if asks("faults.md") {
        return Some(fault::help(true));
    }
    asks("faults").then(|| {
        let (first, second) = fault::ROUTES.split_at(fault::ROUTES.len().div_ceil(2));
        let names = |routes: &[(&str, fault::Route)]| -> String {
            routes.iter().map(|it| it.0).collect::<Vec<_>>().join(", ")
        };
        format!(
            "{FAULT_GRAMMAR}{},\n          {}\n{FAULT_RULES}{}",
            names(first),
            names(second),
            fault::help(false),
        )
    })
}

const FAULT_GRAMMAR: &str = "\
--fault NAME[=ARGUMENT][@ROUTE][#N or #N-M][%P], repeated at will

  @ROUTE  only requests of this kind: ";

const FAULT_RULES: &str = "  \
  #N      only the n-th time that it could strike; #N-M, #N-
  %P      only so many of a hundred times, by the dice of --seed

Where the name is unique without its group, the group may be left out.
prm.MEMBER, asm.MEMBER, client.MEMBER, answer.MEMBER, discover.MEMBER [=JSON]
put another value into the resource metadata, the server metadata, the
registration, the tokens, the result of `server/discover`; without a value the
member is missing.

";

fn run(arguments: Arguments) -> io::Result<()> {
    let until_stdin_closes = arguments.until_stdin_closes;
    let orgs = arguments.orgs();
    let faults = arguments.faults.clone();
    let ca_out = arguments.tls_ca_out.clone();
    let gateway = Gateway::start(arguments.plan()?)?;
    gateway.order_all(faults);
    if let (Some(path), Some(certificate)) = (ca_out, gateway.ca_certificate()) {
        let shown = path.display();
        std::fs::write(&path, certificate)
            .map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")))?;
    }
    writeln!(
        io::stderr().lock(),
        "MOCK GATEWAY, NO SECURITY: for tests on this machine only. Never expose it, and never \
         give it real credentials. {} (pages: {})\nlive view: {}",
        gateway.base_url(),
        gateway.web_url(),
        gateway.live_url(),
    )?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", ready_line(&gateway, &orgs))?;
    stdout.flush()?;
    drop(stdout);
    wait(until_stdin_closes)
}

fn ready_line(gateway: &Gateway, orgs: &[String]) -> Value {
    let by_org = |value: &dyn Fn(&str) -> String| -> Map<String, Value> {
        orgs.iter().map(|org| (org.clone(), value(org).into())).collect()
    };
    json!({
        "ready": true,
        "gateway": gateway.base_url(),
        "issuer": gateway.issuer(),
        "web": gateway.web_url(),
        "sse": by_org(&|org| gateway.sse_url(org)),
        "http": by_org(&|org| gateway.http_url(org)),
        "api_keys": by_org(&|org| gateway.api_key(org).unwrap_or_default().to_owned()),
        "client_ids": by_org(&|org| MachineClient::mock(org).client_id),
        "client_secrets": by_org(&|org| MachineClient::mock(org).client_secret),
        "live": gateway.live_url(),
        "control": {"url": gateway.control_url(), "token": gateway.control_token()},
    })
}

/// Waits for the end: a signal, or the end of stdin where that counts.
fn wait(until_stdin_closes: bool) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            closed = stdin_closed(), if until_stdin_closes => closed,
            interrupted = tokio::signal::ctrl_c() => interrupted,
            terminated = terminated() => terminated,
        }
    })
}

/// Reads stdin on a thread of its own: such a read cannot be cancelled, and need not be.
async fn stdin_closed() -> io::Result<()> {
    let (closed, is_closed) = oneshot::channel::<()>();
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut buffer = [0; 1024];
        while io::stdin().lock().read(&mut buffer).is_ok_and(|n| n != 0) {}
        drop(closed);
    })?;
    is_closed.await.ok();
    Ok(())
}

#[cfg(unix)]
async fn terminated() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> io::Result<()> {
    std::future::pending().await
}
