//! The mock as a program.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use super::gateway::Gateway;
use super::plan::{Consent, Plan};

/// A mock of the ApexMCP gateway, for integration tests of gateways and clients.
///
/// It prints one line of JSON when it is ready, and serves until it is ended. Nothing in it is
/// protected: use it on your own machine only.
#[derive(Debug, Parser)]
#[command(name = "apexmcp-mock-gateway", version, max_term_width = 80)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Flags {
    /// The gateway's port; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The web host's port; 0 is any free one
    #[arg(long, default_value_t = 0)]
    web_port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// An organisation's slug; may be given several times [default: acme, globex]
    #[arg(long = "org", value_name = "SLUG")]
    organisations: Vec<String>,
    /// Answer the consent page with yes, so that no person is needed
    #[arg(long, conflicts_with = "auto_deny")]
    auto_approve: bool,
    /// Answer the consent page with no
    #[arg(long)]
    auto_deny: bool,
    /// Ask for no credential at all
    #[arg(long)]
    no_auth: bool,
    /// How long an access token lives, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    access_token_life: u64,
    /// How long a refresh token lives, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30 * 24 * 3600)]
    refresh_token_life: u64,
    /// Answer every Streamable HTTP request with an event stream
    #[arg(long)]
    stream_answers: bool,
    /// Be a release from before the sign-in: 401 without a challenge, no /authorize
    #[arg(long)]
    old_release: bool,
    /// The secret that signs the hand-off between gateway and web host
    #[arg(long, env = "OAUTH_HANDOFF_SECRET", hide_env_values = true, value_name = "SECRET")]
    handoff_secret: Option<String>,
}

impl Flags {
    fn plan(self) -> Plan {
        let default = Plan::default();
        Plan {
            bind: self.bind,
            port: self.port,
            web_port: self.web_port,
            organisations: if self.organisations.is_empty() {
                default.organisations
            } else {
                self.organisations
            },
            auth: !self.no_auth,
            consent: match (self.auto_approve, self.auto_deny) {
                (true, _) => Consent::Approve,
                (_, true) => Consent::Deny,
                _ => Consent::Ask,
            },
            access_token_life: Duration::from_secs(self.access_token_life),
            refresh_token_life: Duration::from_secs(self.refresh_token_life),
            stream_answers: self.stream_answers,
            old_release: self.old_release,
            handoff_secret: self.handoff_secret,
        }
    }
}

/// Runs the mock gateway as a program.
pub fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            // Help goes to stdout, mistakes to stderr; clap knows which is which.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let gateway = match Gateway::start(flags.plan()) {
        Ok(gateway) => gateway,
        Err(error) => {
            io::stderr().write_all(format!("error: cannot start: {error}\n").as_bytes()).ok();
            return ExitCode::FAILURE;
        }
    };
    io::stderr().write_all(b"This is a MOCK gateway: it protects nothing. Ctrl-C ends it.\n").ok();
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "{}", ready(&gateway)).and_then(|()| stdout.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    // The gateway has its own thread; this one has nothing left to do.
    loop {
        std::thread::park();
    }
}

/// The line that says where everything is.
fn ready(gateway: &Gateway) -> Value {
    let each = |url: &dyn Fn(&str) -> Value| -> Value {
        gateway.organisations().iter().map(|org| (org.clone(), url(org))).collect()
    };
    json!({
        "ready": true,
        "gateway": gateway.base_url(),
        "web": gateway.web_url(),
        "sse": each(&|org| json!(gateway.sse_url(org))),
        "http": each(&|org| json!(gateway.http_url(org))),
        "api_keys": each(&|org| json!(gateway.api_key(org))),
    })
}
