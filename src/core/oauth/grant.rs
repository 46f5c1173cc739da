//! Asking the token endpoint, and what it answers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::record::Registration;
use crate::secret::Secret;

/// One request to the token endpoint (RFC 6749 §3.2).
#[derive(Clone, Debug)]
pub struct Grant {
    /// Where.
    pub token_endpoint: Url,
    /// Whose it is: the audience of a client's assertion.
    pub issuer: String,
    /// As whom.
    pub client: Registration,
    /// The `resource` parameter (RFC 8707 §2.2), byte for byte.
    pub resource: Option<String>,
    /// For what.
    pub kind: GrantKind,
    /// How long to wait before.
    pub wait: Duration,
}

/// What is traded for tokens.
#[derive(Clone, Debug)]
pub enum GrantKind {
    /// An authorization code (RFC 6749 §4.1.3) with its verifier (RFC 7636 §4.5).
    Code {
        /// The code.
        code: Secret,
        /// The verifier.
        verifier: Secret,
    },
    /// A refresh token (RFC 6749 §6).
    Refresh {
        /// The refresh token.
        token: Secret,
        /// The scope that was granted: some servers want it repeated, and none may be widened by
        /// it.
        scope: Option<String>,
    },
    /// A device code (RFC 8628 §3.4).
    Device {
        /// The device code.
        code: Secret,
    },
    /// The client's own credentials (RFC 6749 §4.4).
    Client {
        /// The scope to ask for.
        scope: Option<String>,
    },
}

/// What the token endpoint answered.
pub type GrantAnswer = Result<Granted, GrantFailure>;

/// Tokens, as they were issued.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The access token.
    pub access: Secret,
    /// The refresh token, where one was issued.
    pub refresh: Option<Secret>,
    /// How long the access token lives, in seconds, where the server said.
    pub expires_in: Option<u64>,
    /// The granted scope, where the server named one.
    pub scope: Option<String>,
    /// The OpenID Connect ID token, where one was issued.
    pub id_token: Option<Secret>,
}

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantFailure {
    /// The server said no (RFC 6749 §5.2).
    Refused {
        /// The error code.
        error: String,
        /// `error_description`, where there was one.
        description: Option<String>,
    },
    /// The server did not see the request, or asks to come back later.
    Transient {
        /// What happened, for people.
        cause: String,
        /// How long not to come back, where the server said (RFC 9110 §10.2.3).
        wait: Option<Duration>,
    },
    /// The server may have done it, and its answer was lost.
    AnswerLost(String),
    /// The answer is no token answer.
    Malformed(String),
}

/// A form that begins with how the client proves who it is (RFC 6749 §2.3.1), and the
/// `Authorization` that goes with it.
pub fn client_authentication(
    client: &Registration,
) -> (Option<HeaderValue>, Serializer<'static, String>) {
    let mut form = Serializer::new(String::new());
    let mut authorization = None;
    match (client.secret(), client.auth_method.as_deref()) {
        (Some(secret), Some("client_secret_post")) => {
            form.append_pair("client_id", &client.id);
            form.append_pair("client_secret", secret.expose());
        }
        (Some(secret), _) => {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&client.id), encoded(secret.expose()));
            authorization = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok();
            if let Some(value) = &mut authorization {
                value.set_sensitive(true);
            }
        }
        (None, _) => {
            form.append_pair("client_id", &client.id);
        }
    }
    (authorization, form)
}
