//! What a mock gateway is told before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::ValueEnum;

use super::credentials::{ApiKey, HandoffSecret, MachineClient, StaticClient};
use super::network::Network;
use super::oauth::IdentityProvider;

/// Everything that can be chosen about a mock gateway.
///
/// ```
/// use apexmcp_bridge::mock::{Consent, Plan};
/// let plan = Plan { consent: Consent::Approve, ..Plan::default() };
/// assert_eq!(plan.organisations, ["acme", "globex"]);
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Plan {
    /// Where MCP endpoints and the authorization server listen. Port 0 takes any free one.
    pub gateway_address: SocketAddr,
    /// Where sign-in and consent pages listen.
    pub web_address: SocketAddr,
    /// The origin by which clients know the gateway, without a slash at the end; none = where it
    /// listens. It is the issuer, as `PUBLIC_MCP_BASE_URL` is the product's.
    pub public_gateway_url: Option<String>,
    /// The origin by which browsers know the pages; none = where they listen.
    pub public_web_url: Option<String>,
    /// The slugs of the organisations. At least one.
    pub organisations: Vec<String>,
    /// The API keys in force.
    pub api_keys: Vec<ApiKey>,
    /// The clients of the client credentials grant.
    pub machine_clients: Vec<MachineClient>,
    /// The clients that need no registration.
    pub clients: Vec<StaticClient>,
    /// The identity providers that organisations have brought: their tokens open endpoints, too.
    pub identity_providers: Vec<IdentityProvider>,
    /// Whether and how clients register themselves (RFC 7591).
    pub registration: Registration,
    /// Whether a `client_id` may be the URL of a document about the client (CIMD). Over `http` only
    /// loopback is asked.
    pub client_documents: bool,
    /// Where metadata of the authorization server is found.
    pub discovery: Discovery,
    /// Whether that metadata says that PKCE is done with S256.
    pub pkce_announced: bool,
    /// What follows the gateway's origin in the issuer: empty, or a path such as `/tenant`.
    pub issuer_path: String,
    /// Whether there is resource metadata (RFC 9728); without it a client is on its own, as with
    /// MCP 2025-03-26.
    pub resource_metadata: bool,
    /// Issuers that the resource metadata names before this one.
    pub other_authorization_servers: Vec<String>,
    /// The device authorization grant (RFC 8628), where it is offered.
    pub device: Option<Device>,
    /// What opens MCP endpoints. Anything but access tokens makes every sign-in yield an ID token.
    pub bearer: Bearer,
    /// The scope that a 401 asks for; none = it names none.
    pub challenge_scope: Option<String>,
    /// What a 403 for want of scope asks for.
    pub step_up: StepUp,
    /// Whether MCP requests need a credential.
    pub auth: Auth,
    /// What happens to authorization requests.
    pub consent: Consent,
    /// How long access tokens last.
    pub access_token_lifetime: Duration,
    /// How long a refresh token lasts when it is not used.
    pub refresh_token_lifetime: Duration,
    /// The addresses that may use MCP endpoints; empty = all. The dashboard changes it for one
    /// organisation.
    pub allowed_networks: Vec<Network>,
    /// How many requests a minute each organisation has; none = as many as come.
    pub rate_limit: Option<u32>,
    /// How Streamable HTTP answers requests that could have either form.
    pub answers: Answers,
    /// Whether Streamable HTTP gives out session ids.
    pub sessions: bool,
    /// Which revisions of MCP are spoken.
    pub eras: Eras,
    /// A release that predates the MCP authorization server: client credentials and API keys only,
    /// `/authorize` is 404, and 401 comes without `WWW-Authenticate`.
    pub old_release: bool,
    /// Whether there are also the tools, resources and prompts that the conformance suite of the MCP
    /// project looks for.
    pub conformance: bool,
    /// What the dice of faults start from: the same seed gives the same throws.
    pub seed: u64,
    /// Whether both origins are HTTPS, by an authority that the gateway makes up.
    pub tls: bool,
    /// How long the head of a request may take, and a connection may idle before it.
    pub head_limit: Duration,
    /// The pause after which an idle stream gets a comment.
    pub heartbeat: Duration,
    /// The secret that signs hand-offs between gateway and web; none = a random one.
    pub handoff_secret: Option<HandoffSecret>,
    /// What the web has for that secret, where somebody has set another one there; none = the same.
    pub web_handoff_secret: Option<HandoffSecret>,
}

impl Default for Plan {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let organisations = ["acme", "globex"];
        Self {
            gateway_address: any_port,
            web_address: any_port,
            public_gateway_url: None,
            public_web_url: None,
            organisations: organisations.map(str::to_owned).to_vec(),
            api_keys: organisations.map(ApiKey::mock).to_vec(),
            machine_clients: organisations.map(MachineClient::mock).to_vec(),
            clients: Vec::new(),
            identity_providers: Vec::new(),
            registration: Registration::Public,
            client_documents: false,
            discovery: Discovery::OAuth,
            pkce_announced: true,
            issuer_path: String::new(),
            resource_metadata: true,
            other_authorization_servers: Vec::new(),
            device: None,
            bearer: Bearer::AccessToken,
            challenge_scope: Some("mcp:call".into()),
            step_up: StepUp::Needed,
            auth: Auth::Required,
            consent: Consent::Ask,
            access_token_lifetime: Duration::from_hours(1),
            refresh_token_lifetime: Duration::from_hours(30 * 24),
            allowed_networks: Vec::new(),
            rate_limit: None,
            answers: Answers::Json,
            sessions: true,
            eras: Eras::Legacy,
            old_release: false,
            conformance: false,
            seed: 0,
            tls: false,
            head_limit: Duration::from_mins(1),
            heartbeat: Duration::from_secs(15),
            handoff_secret: None,
            web_handoff_secret: None,
        }
    }
}

/// Whether MCP requests need a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// No: there is no authorization server either.
    None,
    /// An API key or an access token.
    Required,
}

/// What happens to authorization requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `/authorize` redirects straight back with a code.
    Approve,
    /// The browser is sent to the consent page.
    Ask,
    /// `/authorize` redirects straight back with `access_denied`.
    Deny,
}

/// How Streamable HTTP answers requests that could have either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Answers {
    /// One JSON object, except where a tool talks to the client while it runs.
    Json,
    /// Always a stream.
    Sse,
}

/// Which revisions of MCP are spoken, in the words of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Eras {
    /// All of them, each as the client opens: `initialize`, or requests of 2026-07-28.
    Dual,
    /// Those with a handshake, 2024-11-05 to 2025-11-25, as the product.
    Legacy,
    /// 2026-07-28 alone: no handshake, no sessions, no GET.
    Modern,
}

/// Whether and how clients register themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// They do not: there is no endpoint for it.
    Closed,
    /// They get a secret, and must use it the way that they asked for.
    Confidential,
    /// They become public clients, whatever they ask for.
    Public,
}

/// Where metadata of the authorization server is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Discovery {
    /// Both documents.
    Both,
    /// Nowhere: the default endpoints of MCP 2025-03-26 are all there is.
    None,
    /// RFC 8414.
    #[value(name = "oauth")]
    OAuth,
    /// OpenID Connect Discovery 1.0.
    #[value(name = "openid")]
    OpenId,
}

/// The device authorization grant (RFC 8628).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// How long a client has to wait between two polls.
    pub interval: Duration,
    /// How long the codes last.
    pub lifetime: Duration,
}

impl Default for Device {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), lifetime: Duration::from_mins(10) }
    }
}

/// What opens MCP endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bearer {
    /// Access tokens.
    AccessToken,
    /// Access tokens and ID tokens.
    Either,
    /// ID tokens only.
    IdToken,
}

/// What a 403 for want of scope asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StepUp {
    /// What is missing: the client has to add what it has.
    Needed,
    /// What the token has, and what is missing.
    Union,
}
