//! What one process tells the others of its sign-in: so that several copies open one browser
//! window, and so that the sign-in outlives the copy that opened it.

use serde::{Deserialize, Serialize};
use url::Url;

use super::redirect::ExpectRedirect;
use super::{Resource, Server};
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
    },
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
    scope: Option<String>,
    client: Registration,
    state: Secret,
    verifier: Secret,
}

impl OpenSignIn {
    pub(super) fn new(expect: &ExpectRedirect, window: bool, now: Moment) -> Self {
        let wait = expect.deadline.saturating_sub(now.uptime);
        let ExpectRedirect { server, client, state, verifier, url, .. } = expect;
        Self {
            url: url.clone(),
            expires_at: now.unix.saturating_add(wait.as_secs()),
            window_at: window.then_some(now.unix),
            issuer: server.metadata.issuer.clone(),
            names_issuer: server.metadata.authorization_response_iss_parameter_supported,
            authorization_endpoint: server.metadata.authorization_endpoint.clone(),
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.metadata.revocation_endpoint.clone(),
            resource: server.resource.id.clone(),
            scope: server.resource.scope.clone(),
            client: client.clone(),
            state: state.clone(),
            verifier: verifier.clone(),
        }
    }

    /// The port that the browser will come back to.
    pub(super) fn port(&self) -> Option<u16> {
        Url::parse(&self.client.redirect_uri).ok()?.port()
    }

    pub(super) fn resume(self, now: Moment) -> ExpectRedirect {
        let wait = std::time::Duration::from_secs(self.expires_at.saturating_sub(now.unix));
        let metadata = ServerMetadata {
            authorization_response_iss_parameter_supported: self.names_issuer,
            authorization_endpoint: self.authorization_endpoint,
            revocation_endpoint: self.revocation_endpoint,
            ..ServerMetadata::without_document(&self.issuer)
        };
        let resource = Resource { id: self.resource, scope: self.scope, documented: true };
        ExpectRedirect {
            server: Server { resource, metadata, token_endpoint: self.token_endpoint },
            client: self.client,
            state: self.state,
            verifier: self.verifier,
            url: self.url,
            deadline: now.after(wait),
            look_at: None,
            entropy: None,
        }
    }
}
