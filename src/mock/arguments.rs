//! What the user of the program typed, or wrote into a plan file.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, Value};

use super::credentials::{ApiKey, HandoffSecret, MachineClient, StaticClient};
use super::fault::FaultOrder;
use super::network::Network;
use super::oauth::IdentityProvider;
use super::plan::{
    Answers, Auth, Bearer, Consent, Device, Discovery, Eras, Plan, Registration, StepUp,
};

/// A mock of the ApexMCP gateway, to test MCP clients against.
///
/// Prints one line of JSON with its addresses when it is ready. It protects nothing.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that the user may give")]
#[command(name = "apexmcp-mock-gateway", version, args_override_self = true, max_term_width = 80)]
pub(crate) struct Arguments {
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
    /// Slug of an organisation; may be repeated [default: acme, globex]
    #[arg(long = "org", value_name = "SLUG")]
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
    /// An identity provider whose tokens open an organisation's endpoints: JSON with `org`,
    /// `issuer`, `jwks`, and where wanted `audience`; may be repeated
    #[arg(long = "identity-provider", value_parser = IdentityProvider::from_json, value_name = "JSON")]
    identity_providers: Vec<IdentityProvider>,
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
    /// Address or network (`10.0.0.0/8`) that may use MCP endpoints; may be repeated [default: all]
    #[arg(long = "allow-address", value_name = "NETWORK")]
    allowed_networks: Vec<Network>,
    /// Requests a minute that each organisation has; more get 429 with `Retry-After`
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
    /// How Streamable HTTP answers
    #[arg(long, value_enum, default_value_t = Answers::Json, value_name = "FORM")]
    http_answers: Answers,
    /// Revisions of MCP: `legacy` is 2024-11-05 to 2025-11-25, `modern` is 2026-07-28
    #[arg(long, value_enum, default_value_t = Eras::Legacy, value_name = "ERAS")]
    eras: Eras,
    /// Secret that signs hand-offs between gateway and pages, 32 or more characters
    #[arg(
        long,
        env = "OAUTH_HANDOFF_SECRET",
        hide_env_values = true,
        value_parser = HandoffSecret::new,
        value_name = "SECRET"
    )]
    handoff_secret: Option<HandoffSecret>,
    /// What the pages have for that secret, as where somebody has set another one there
    #[arg(long, value_parser = HandoffSecret::new, value_name = "SECRET")]
    web_handoff_secret: Option<HandoffSecret>,
    /// Offer what the conformance suite of the MCP project looks for, too
    #[arg(long)]
    conformance: bool,
    /// Let requests go wrong: `NAME[=ARGUMENT][@ROUTE][#N or #N-M][%P]`; `--help faults` lists
    /// them; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<FaultOrder>,
    /// What the dice of faults with `%P` start from
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    seed: u64,
    /// Serve HTTPS, with certificates of an authority made for this run
    #[arg(long)]
    tls: bool,
    /// Write the certificate of that authority to this file; implies --tls
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca_out: Option<PathBuf>,
    /// Read more flags from a JSON file: `{"port": 0, "auto-approve": true, "fault": ["net.fin#1"]}`
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// End when stdin is closed
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
}

impl Arguments {
    /// The organisations.
    pub(crate) fn orgs(&self) -> Vec<String> {
        if self.orgs.is_empty() { Plan::default().organisations } else { self.orgs.clone() }
    }

    /// The plan that these make.
    pub(crate) fn plan(self) -> io::Result<Plan> {
        let orgs = self.orgs();
        if !self.bind.is_loopback() {
            warn(self.bind)?;
        }
        Ok(Plan {
            gateway_address: SocketAddr::new(self.bind, self.port),
            web_address: SocketAddr::new(self.bind, self.web_port),
            api_keys: orgs.iter().map(|org| ApiKey::mock(org)).collect(),
            machine_clients: orgs.iter().map(|org| MachineClient::mock(org)).collect(),
            organisations: orgs,
            auth: if self.no_auth { Auth::None } else { Auth::Required },
            consent: match (self.auto_approve, self.auto_deny) {
                (true, _) => Consent::Approve,
                (_, true) => Consent::Deny,
                _ => Consent::Ask,
            },
            public_gateway_url: self.public_url,
            public_web_url: self.public_web_url,
            access_token_lifetime: Duration::from_secs(self.access_token_lifetime),
            refresh_token_lifetime: Duration::from_secs(self.refresh_token_lifetime),
            clients: self.clients,
            identity_providers: self.identity_providers,
            registration: self.registration,
            client_documents: self.client_documents,
            discovery: self.discovery,
            pkce_announced: !self.pkce_unannounced,
            issuer_path: self.issuer_path,
            resource_metadata: !self.no_resource_metadata,
            other_authorization_servers: self.other_authorization_servers,
            device: self.device_code.then_some(Device {
                interval: Duration::from_secs(self.device_interval),
                lifetime: Duration::from_secs(self.device_code_lifetime),
            }),
            bearer: self.bearer,
            challenge_scope: Some(self.challenge_scope).filter(|it| !it.is_empty()),
            step_up: self.step_up,
            answers: self.http_answers,
            eras: self.eras,
            old_release: self.old_release,
            handoff_secret: self.handoff_secret,
            web_handoff_secret: self.web_handoff_secret,
            allowed_networks: self.allowed_networks,
            rate_limit: self.rate_limit,
            conformance: self.conformance,
            seed: self.seed,
            tls: self.tls || self.tls_ca_out.is_some(),
            ..Plan::default()
        })
    }
}

/// Says loudly what it means to listen there.
fn warn(address: IpAddr) -> io::Result<()> {
    writeln!(
        io::stderr().lock(),
        "warning: `--bind {address}` lets everybody in the network use this mock, which protects \
         nothing"
    )
}

/// Puts the flags that plan files hold in front of those that were typed, so that the latter count.
pub(crate) fn with_plan_file(given: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let mut given = given.into_iter();
    let mut all: Vec<OsString> = given.next().into_iter().collect();
    let mut typed = Vec::new();
    while let Some(argument) = given.next() {
        let path = match argument.to_str() {
            Some("--plan") => Some(given.next().ok_or("`--plan` needs a file")?),
            Some(it) => it.strip_prefix("--plan=").map(OsString::from),
            None => None,
        };
        match path {
            Some(path) => all.extend(flags(&path)?.into_iter().map(OsString::from)),
            None => typed.push(argument),
        }
    }
    all.extend(typed);
    Ok(all)
}

fn flags(path: &OsString) -> Result<Vec<String>, String> {
    let shown = path.to_string_lossy();
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{shown}`: {error}"))?;
    let plan: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| format!("`{shown}`: expected a JSON object of flags: {error}"))?;
    let mut flags = Vec::new();
    for (name, value) in plan {
        // Underscores come naturally in JSON.
        let name = format!("--{}", name.replace('_', "-"));
        for value in if let Value::Array(values) = value { values } else { vec![value] } {
            match value {
                Value::Bool(true) => flags.push(name.clone()),
                Value::Bool(false) | Value::Null => {}
                Value::String(text) => flags.push(format!("{name}={text}")),
                // Objects stay JSON, as `--client` wants them.
                other => flags.push(format!("{name}={other}")),
            }
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Arguments, Plan, with_plan_file};

    fn plan(flags: &[&str]) -> String {
        let all = ["mock"].iter().chain(flags);
        format!("{:?}", Arguments::try_parse_from(all).unwrap().plan().unwrap())
    }

    #[test]
    fn without_flags_the_plan_is_the_default_one() {
        assert_eq!(plan(&[]), format!("{:?}", Plan::default()));
    }

    #[test]
    fn every_flag_gets_into_the_plan() {
        for (flags, member) in [
            (&["--registration", "closed"][..], "registration: Closed"),
            (&["--registration", "confidential"], "registration: Confidential"),
            (&["--client-documents"], "client_documents: true"),
            (&["--discovery", "openid"], "discovery: OpenId"),
            (&["--discovery", "none"], "discovery: None"),
            (&["--pkce-unannounced"], "pkce_announced: false"),
            (&["--issuer-path", "/tenant"], "issuer_path: \"/tenant\""),
            (&["--no-resource-metadata"], "resource_metadata: false"),
            (&["--other-authorization-server", "http://a"], "servers: [\"http://a\"]"),
            (
                &["--device-code", "--device-interval", "1", "--device-code-lifetime", "2"],
                "device: Some(Device { interval: 1s, lifetime: 2s })",
            ),
            (&["--bearer", "id-token"], "bearer: IdToken"),
            (&["--challenge-scope", ""], "challenge_scope: None"),
            (&["--step-up", "union"], "step_up: Union"),
            (&["--auto-approve"], "consent: Approve"),
            (&["--auto-deny"], "consent: Deny"),
            (&["--no-auth"], "auth: None"),
            (&["--http-answers", "sse"], "answers: Sse"),
            (&["--eras", "modern"], "eras: Modern"),
            (&["--eras", "dual"], "eras: Dual"),
            (&["--old-release"], "old_release: true"),
            (&["--conformance"], "conformance: true"),
            (&["--seed", "7"], "seed: 7"),
            (&["--rate-limit", "7"], "rate_limit: Some(7)"),
            (&["--allow-address", "10.0.0.0/8"], "address: 10.0.0.0, bits: 8"),
            (
                &["--web-handoff-secret", "another-secret-of-32-characters!"],
                "web_handoff_secret: Some",
            ),
            (&["--tls-ca-out", "x"], "tls: true"),
            (&["--public-url", "https://a"], "public_gateway_url: Some(\"https://a\")"),
            (&["--access-token-lifetime", "5"], "access_token_lifetime: 5s"),
        ] {
            assert!(!plan(&[]).contains(member), "{member}");
            assert!(plan(flags).contains(member), "{member}: {}", plan(flags));
        }
    }

    #[test]
    fn a_plan_file_comes_before_what_was_typed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("plan.json");
        let json = r#"{"port": 7, "auto_approve": true, "no-auth": false, "org": ["one", "two"],
            "client": {"client_id": "a"}, "fault": ["net.fin#1"], "issuer_path": "/x"}"#;
        std::fs::write(&file, json).unwrap();
        let plan = file.to_str().unwrap();
        let typed = ["mock", "--port", "8", "--plan", plan, "--org", "three"];
        let all = with_plan_file(typed.map(Into::into).to_vec()).unwrap();
        let arguments = Arguments::try_parse_from(all).unwrap();
        assert_eq!(arguments.faults, ["net.fin#1".parse().unwrap()]);
        assert_eq!(arguments.orgs(), ["one", "two", "three"]);
        let plan = arguments.plan().unwrap();
        assert_eq!((plan.gateway_address.port(), plan.issuer_path.as_str()), (8, "/x"));
        assert_eq!(plan.clients[0].client_id, "a");
        assert_eq!(plan.consent, crate::mock::Consent::Approve);
        for wrong in ["[]", r#"{"port": 1,}"#] {
            std::fs::write(&file, wrong).unwrap();
            let given = vec!["mock".into(), format!("--plan={}", file.display()).into()];
            assert!(with_plan_file(given).is_err(), "{wrong}");
        }
        assert!(with_plan_file(vec!["mock".into(), "--plan".into()]).is_err());
    }
}
