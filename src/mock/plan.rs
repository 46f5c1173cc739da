//! What a mock gateway is to be like.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// What a mock gateway is to be like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The address of both listeners.
    pub bind: IpAddr,
    /// The gateway's port; 0 is any.
    pub port: u16,
    /// The web host's port; 0 is any.
    pub web_port: u16,
    /// The slugs of the organisations.
    pub organisations: Vec<String>,
    /// Whether a credential is needed at all.
    pub auth: bool,
    /// Who answers the consent page.
    pub consent: Consent,
    /// How long an access token lives.
    pub access_token_life: Duration,
    /// How long a refresh token lives.
    pub refresh_token_life: Duration,
    /// Whether Streamable HTTP answers every request with an event stream.
    pub stream_answers: bool,
    /// A release from before the MCP authorization server: 401 without a challenge, no `/authorize`.
    pub old_release: bool,
    /// The secret that signs the hand-off between gateway and web host; `None` makes one.
    pub handoff_secret: Option<String>,
}

/// Who answers the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// A person.
    Ask,
    /// Everything is allowed at once.
    Approve,
    /// Everything is refused at once.
    Deny,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            web_port: 0,
            organisations: vec!["acme".to_owned(), "globex".to_owned()],
            auth: true,
            consent: Consent::Ask,
            access_token_life: Duration::from_hours(1),
            refresh_token_life: Duration::from_hours(24 * 30),
            stream_answers: false,
            old_release: false,
            handoff_secret: None,
        }
    }
}
