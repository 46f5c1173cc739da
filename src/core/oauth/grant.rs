//! Asking the token endpoint, and what it answers.

use url::Url;

use super::record::Registration;
use crate::secret::Secret;

/// One request to the token endpoint (RFC 6749 §3.2).
#[derive(Clone, Debug)]
pub struct Grant {
    /// Where.
    pub token_endpoint: Url,
    /// As whom.
    pub client: Registration,
    /// The `resource` parameter (RFC 8707 §2.2), byte for byte.
    pub resource: Option<String>,
    /// For what.
    pub kind: GrantKind,
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
    Transient(String),
    /// The server may have done it, and its answer was lost.
    AnswerLost(String),
    /// The answer is no token answer.
    Malformed(String),
}
