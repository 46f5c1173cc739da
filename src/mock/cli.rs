//! The mock gateway as a program.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::credentials::{ApiKey, HandoffSecret, MachineClient, StaticClient};
use super::faults::Order;
use super::gateway::Gateway;
use super::plan::{Answers, Auth, Bearer, Consent, Device, Discovery, Plan, Registration, StepUp};

/// A mock of the ApexMCP gateway, to test MCP clients against.
///
/// Prints one line of JSON with its addresses when it is ready. It protects nothing.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that the user may give")]
#[command(name = "apexmcp-mock-gateway", version)]
struct Arguments {
    /// Port of the gateway; 0 takes any free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// Port of the sign-in and consent pages
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    web_port: u16,
    /// Address to listen on; anything but loopback exposes the mock to the network
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    bind: IpAddr,
    /// Origin by which clients know the gateway [default: where it listens]
    #[arg(long, env = "PUBLIC_MCP_BASE_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Origin by which browsers know the pages [default: where they listen]
    #[arg(long, env = "PUBLIC_WEB_BASE_URL", value_name = "URL")]
    public_web_url: Option<String>,
    /// Slug of an organisation; may be repeated
    #[arg(long = "org", default_values = ["acme", "globex"], value_name = "SLUG")]
    orgs: Vec<String>,
    /// Approve every authorization request without asking
    #[arg(long)]
    auto_approve: bool,
    /// Deny every authorization request without asking
    #[arg(long, conflicts_with = "auto_approve")]
    auto_deny: bool,
    /// Ask for no credentials at all
    #[arg(long)]
    no_auth: bool,
    /// Lifetime of access tokens
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    access_token_lifetime: u64,
    /// Lifetime of refresh tokens
    #[arg(long, default_value_t = 30 * 24 * 3600, value_name = "SECONDS")]
    refresh_token_lifetime: u64,
    /// Imitate a release that knows only API keys and client credentials
    #[arg(long)]
    old_release: bool,
    /// A client that needs no registration: JSON with `client_id`, and where needed `client_name`,
    /// `redirect_uris`, `client_secret`, `token_endpoint_auth_method`, `jwks`, and `org` for the
    /// client credentials grant; may be repeated
    #[arg(long = "client", value_parser = StaticClient::from_json, value_name = "JSON")]
    clients: Vec<StaticClient>,
    /// What clients that register themselves become; `closed` lets nobody register
    #[arg(long, value_enum, default_value_t = Registration::Public, value_name = "KIND")]
    registration: Registration,
    /// Accept the URL of a metadata document as client id (CIMD)
    #[arg(long)]
    client_documents: bool,
    /// Where metadata of the authorization server is found
    #[arg(long, value_enum, default_value_t = Discovery::OAuth, value_name = "KIND")]
    discovery: Discovery,
    /// Do not say in the metadata that PKCE is done with S256
    #[arg(long)]
    pkce_unannounced: bool,
    /// Path of the issuer, such as `/tenant`
    #[arg(long, default_value = "", hide_default_value = true, value_name = "PATH")]
    issuer_path: String,
    /// Offer no resource metadata, as servers of MCP 2025-03-26
    #[arg(long)]
    no_resource_metadata: bool,
    /// Issuer that the resource metadata names before this one; may be repeated
    #[arg(long = "other-authorization-server", value_name = "URL")]
    other_authorization_servers: Vec<String>,
    /// Offer the device authorization grant (RFC 8628)
    #[arg(long)]
    device_code: bool,
    /// Pause that a device has to make between two polls
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    device_interval: u64,
    /// Lifetime of device codes
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    device_code_lifetime: u64,
    /// What opens MCP endpoints
    #[arg(long, value_enum, default_value_t = Bearer::AccessToken, value_name = "TOKEN")]
    bearer: Bearer,
    /// Scope that a 401 asks for; empty: it names none
    #[arg(long, default_value = "mcp:call", value_name = "SCOPE")]
    challenge_scope: String,
    /// What a 403 for want of scope asks for
    #[arg(long, value_enum, default_value_t = StepUp::Needed, value_name = "SCOPES")]
    step_up: StepUp,
    /// How Streamable HTTP answers
    #[arg(long, value_enum, default_value_t = Answers::Json, value_name = "FORM")]
    http_answers: Answers,
    /// Secret that signs hand-offs between gateway and pages, 32 or more characters
    #[arg(
        long,
        env = "OAUTH_HANDOFF_SECRET",
        hide_env_values = true,
        value_parser = HandoffSecret::new,
        value_name = "SECRET"
    )]
    handoff_secret: Option<HandoffSecret>,
    /// Let requests go wrong: `NAME[=ARGUMENT][*TIMES]`, as docs/mock-gateway.md lists them; may be
    /// repeated
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Order>,
    /// End when stdin is closed
    #[arg(long)]
    until_stdin_closes: bool,
}

/// Runs the mock gateway as a program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` is an "error" that goes to stdout and ends well.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr().lock(), "error: cannot start: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let until_stdin_closes = arguments.until_stdin_closes;
    let orgs = arguments.orgs.clone();
    let faults = arguments.faults.clone();
    let gateway = Gateway::start(plan(arguments))?;
    for Order { fault, times } in faults {
        gateway.inject(fault, times);
    }
    writeln!(
        io::stderr().lock(),
        "MOCK GATEWAY, NO SECURITY: for tests on this machine only. Never expose it, and never \
         give it real credentials. {} (pages: {})",
        gateway.base_url(),
        gateway.web_url(),
    )?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", ready_line(&gateway, &orgs))?;
    stdout.flush()?;
    drop(stdout);
    wait(until_stdin_closes)
}

fn plan(arguments: Arguments) -> Plan {
    Plan {
        gateway_address: SocketAddr::new(arguments.bind, arguments.port),
        web_address: SocketAddr::new(arguments.bind, arguments.web_port),
        api_keys: arguments.orgs.iter().map(|org| ApiKey::mock(org)).collect(),
        machine_clients: arguments.orgs.iter().map(|org| MachineClient::mock(org)).collect(),
        organisations: arguments.orgs,
        auth: if arguments.no_auth { Auth::None } else { Auth::Required },
        consent: match (arguments.auto_approve, arguments.auto_deny) {
            (true, _) => Consent::Approve,
            (_, true) => Consent::Deny,
            _ => Consent::Ask,
        },
        public_gateway_url: arguments.public_url,
        public_web_url: arguments.public_web_url,
        access_token_lifetime: Duration::from_secs(arguments.access_token_lifetime),
        refresh_token_lifetime: Duration::from_secs(arguments.refresh_token_lifetime),
        clients: arguments.clients,
        registration: arguments.registration,
        client_documents: arguments.client_documents,
        discovery: arguments.discovery,
        pkce_announced: !arguments.pkce_unannounced,
        issuer_path: arguments.issuer_path,
        resource_metadata: !arguments.no_resource_metadata,
        other_authorization_servers: arguments.other_authorization_servers,
        device: arguments.device_code.then_some(Device {
            interval: Duration::from_secs(arguments.device_interval),
            lifetime: Duration::from_secs(arguments.device_code_lifetime),
        }),
        bearer: arguments.bearer,
        challenge_scope: Some(arguments.challenge_scope).filter(|it| !it.is_empty()),
        step_up: arguments.step_up,
        answers: arguments.http_answers,
        old_release: arguments.old_release,
        handoff_secret: arguments.handoff_secret,
        ..Plan::default()
    }
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
