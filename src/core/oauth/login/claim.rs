//! What one process tells the others of its sign-in: so that several copies open one browser
//! window, and so that the sign-in outlives the copy that opened it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::redirect::ExpectRedirect;
use super::{Resource, Server, Start};
use crate::config::ConfiguredClient;
use crate::core::oauth::metadata::ServerMetadata;
use crate::core::oauth::record::Registration;
use crate::core::time::Moment;
use crate::secret::Secret;

/// What is known of the sign-in to one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// A browser is open, and will come back to this.
    Open(Box<OpenSignIn>),
    /// A person enters a code on another device.
    Device {
        /// Where, and which code.
        invitation: String,
        /// When the code is worth nothing any more, in seconds since 1970.
        expires_at: u64,
    },
    /// It came to nothing.
    Failed {
        /// Why, in words.
        reason: String,
        /// When, in seconds since 1970.
        at: u64,
        /// When the last browser window opened, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window_at: Option<u64>,
        /// Whether nobody was asked for anything yet, and the next one may work.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        passing: bool,
    },
}

impl Claim {
    /// What is left of a sign-in that is over: when its window opened, and nothing that would keep
    /// another one from beginning.
    pub fn over(self) -> Option<Self> {
        let window_at = match self {
            Self::Open(open) => open.window_at,
            Self::Failed { window_at, .. } => window_at,
            Self::Device { .. } => None,
        };
        window_at.map(Self::window)
    }

    /// The same claim in the place of another one: whoever says that it came to nothing, and has
    /// not seen the window, must not make others forget when that opened.
    #[must_use]
    pub fn after(self, before: Option<Self>) -> Self {
        match (self, before.and_then(Self::over)) {
            (
                Self::Failed { reason, at, window_at: None, passing },
                Some(Self::Failed { window_at, .. }),
            ) => Self::Failed { reason, at, window_at, passing },
            (claim, _) => claim,
        }
    }

    /// When the last window opened, and no more.
    pub fn window(at: u64) -> Self {
        let reason = "it was not finished".to_owned();
        Self::Failed { reason, at: 0, window_at: Some(at), passing: true }
    }
}

/// All that is needed to finish a sign-in whose browser window is already open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSignIn {
    /// Where the person signs in.
    pub url: Url,
    /// When nobody waits for the person any more, in seconds since 1970.
    pub expires_at: u64,
    /// When its browser window opened, in seconds since 1970; `None`: none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_at: Option<u64>,
    issuer: String,
    names_issuer: bool,
    authorization_endpoint: Option<String>,
    token_endpoint: Url,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    resource: Option<String>,
    /// Whether no metadata has named that resource.
    #[serde(default)]
    undocumented: bool,
    scope: Option<String>,
    client: Registration,
    state: Secret,
    verifier: Secret,
}

impl OpenSignIn {
    pub(super) fn new(
        start: &Start,
        expect: &ExpectRedirect,
        window_at: Option<u64>,
        now: Moment,
    ) -> Self {
        let wait = expect.deadline.saturating_sub(now.uptime);
        let ExpectRedirect { server, client, state, verifier, url, .. } = expect;
        Self {
            url: url.clone(),
            expires_at: now.unix.saturating_add(wait.as_secs()),
            window_at,
            issuer: server.metadata.issuer.clone(),
            names_issuer: server.metadata.authorization_response_iss_parameter_supported,
            authorization_endpoint: server.metadata.authorization_endpoint.clone(),
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.metadata.revocation_endpoint.clone(),
            resource: server.resource.id.clone(),
            undocumented: !server.resource.documented,
            scope: server.resource.scope.clone(),
            client: match own(start, client) {
                // Its secret stays where the user keeps it.
                Some(_) => Registration { secret: None, key: None, ..client.clone() },
                None => client.clone(),
            },
            state: state.clone(),
            verifier: verifier.clone(),
        }
    }

    /// The port that the browser will come back to.
    pub(super) fn port(&self) -> Option<u16> {
        Url::parse(&self.client.redirect_uri).ok()?.port()
    }

    pub(super) fn resume(self, start: &Start, now: Moment) -> ExpectRedirect {
        // A clock that was set back must not make it last for hours.
        let wait = self.expires_at.saturating_sub(now.unix).min(start.options.timeout_seconds);
        let mut client = self.client;
        if let Some(own) = own(start, &client) {
            client.secret.clone_from(&own.secret);
            client.key.clone_from(&own.key);
        }
        let metadata = ServerMetadata {
            authorization_response_iss_parameter_supported: self.names_issuer,
            authorization_endpoint: self.authorization_endpoint,
            revocation_endpoint: self.revocation_endpoint,
            ..ServerMetadata::without_document(&self.issuer)
        };
        let documented = !self.undocumented;
        let resource = Resource { id: self.resource, scope: self.scope, documented };
        ExpectRedirect {
            server: Server { resource, metadata, token_endpoint: self.token_endpoint },
            client,
            state: self.state,
            verifier: self.verifier,
            url: self.url,
            deadline: now.after(Duration::from_secs(wait)),
            look_at: None,
            entropy: None,
        }
    }
}

/// The configured client, if it is the one that signs in.
fn own<'a>(start: &'a Start, client: &Registration) -> Option<&'a ConfiguredClient> {
    start.options.client.as_ref().filter(|own| own.id == client.id)
}
