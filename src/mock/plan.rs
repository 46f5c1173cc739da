//! What a mock gateway is told before it starts.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::keys::{base64url, sha256};

/// Everything that can be chosen about a mock gateway.
///
/// ```
/// use apexmcp_bridge::mock::{Consent, Plan};
/// let plan = Plan { consent: Consent::Approve, ..Plan::default() };
/// assert_eq!(plan.organisations, ["acme", "globex"]);
/// ```
#[derive(Clone, Debug)]
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
    /// Whether MCP requests need a credential.
    pub auth: Auth,
    /// What happens to authorization requests.
    pub consent: Consent,
    /// How long access tokens last.
    pub access_token_lifetime: Duration,
    /// How long a refresh token lasts when it is not used.
    pub refresh_token_lifetime: Duration,
    /// How Streamable HTTP answers requests that could have either form.
    pub answers: Answers,
    /// Whether Streamable HTTP gives out session ids.
    pub sessions: bool,
    /// A release that predates the MCP authorization server: client credentials and API keys only,
    /// `/authorize` is 404, and 401 comes without `WWW-Authenticate`.
    pub old_release: bool,
    /// The pause after which an idle stream gets a comment.
    pub heartbeat: Duration,
    /// The secret that signs hand-offs between gateway and web; none = a random one.
    pub handoff_secret: Option<HandoffSecret>,
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
            auth: Auth::Required,
            consent: Consent::Ask,
            access_token_lifetime: Duration::from_hours(1),
            refresh_token_lifetime: Duration::from_hours(30 * 24),
            answers: Answers::Json,
            sessions: true,
            old_release: false,
            heartbeat: Duration::from_secs(15),
            handoff_secret: None,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// One JSON object, except where a tool talks to the client while it runs.
    Json,
    /// Always a stream.
    Sse,
}

/// An API key of one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The slug of the organisation.
    pub org: String,
    /// The key: `apx_live_sk_` and 32 characters.
    pub key: String,
}

impl ApiKey {
    /// The key that the mock makes up for `org`: always the same, and obviously no real one.
    pub fn mock(org: &str) -> Self {
        Self { org: org.to_owned(), key: format!("apx_live_sk_{}", fake(org)) }
    }
}

/// A confidential client of the client credentials grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineClient {
    /// The slug of the organisation.
    pub org: String,
    /// The `client_id`.
    pub client_id: String,
    /// The `client_secret`.
    pub client_secret: String,
}

impl MachineClient {
    /// The client that the mock makes up for `org`.
    pub fn mock(org: &str) -> Self {
        Self {
            org: org.to_owned(),
            client_id: format!("apx_client_mock_{org}"),
            client_secret: format!("apx_secret_{}", fake(org)),
        }
    }
}

/// The secret that gateway and web share (`OAUTH_HANDOFF_SECRET`).
#[derive(Clone, PartialEq, Eq)]
pub struct HandoffSecret(String);

impl HandoffSecret {
    /// Accepts what the product accepts: 32 or more characters.
    pub fn new(secret: &str) -> Result<Self, String> {
        if secret.chars().count() < 32 {
            return Err("expected 32 or more characters".into());
        }
        Ok(Self(secret.to_owned()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for HandoffSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandoffSecret(..)")
    }
}

/// 32 characters that say what they are, and another 32 for another organisation.
fn fake(org: &str) -> String {
    let digest = base64url(&sha256(org.as_bytes())).replace(['-', '_'], "0");
    format!("MOCK{digest:.28}")
}
