//! What can go wrong, named by who must act. The wording is in [`crate::report`].

use thiserror::Error;

use super::oauth::failure::SignInFailure;

/// Why a request of the host gets an error instead of the gateway's answer.
///
/// The text of each variant is the sentence that a person reads; nothing branches on it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// No connection, or one that broke before an answer: the network or the gateway's operator.
    #[error("the gateway at `{server}` cannot be reached: {cause}")]
    Unreachable {
        /// The gateway's origin.
        server: String,
        /// What the network said.
        cause: String,
    },
    /// The gateway's certificate is not trusted: whoever runs the gateway, or the network between.
    #[error("the certificate of the gateway at `{server}` is not trusted: {cause}")]
    Untrusted {
        /// The gateway's origin.
        server: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A configured credential was refused (401): who issued it.
    #[error("the gateway refused the configured credential with HTTP {status}")]
    CredentialRefused {
        /// The HTTP status.
        status: u16,
        /// The names of the configured headers; never a value.
        headers: Vec<String>,
    },
    /// The credential is good and not enough (403): the organisation's administrator.
    #[error("the gateway does not allow this with HTTP {status}{}", detail(.reason.as_ref()))]
    Forbidden {
        /// The HTTP status.
        status: u16,
        /// What the challenge gave as the reason.
        reason: Option<String>,
    },
    /// The sign-in did not work.
    #[error(transparent)]
    SignIn(#[from] SignInFailure),
    /// The answer is not what the protocol asks for: the gateway's developer.
    #[error("the gateway answered {got}, expected {expected}")]
    Misbehaved {
        /// What came.
        got: String,
        /// What the protocol asks for.
        expected: &'static str,
    },
    /// It was too much (413), too often (429), or the wrong moment (502 to 504): whoever asks.
    #[error("the gateway did not take this with HTTP {status}{}", detail(.reason.as_ref()))]
    Limited {
        /// The HTTP status.
        status: u16,
        /// What the body says.
        reason: Option<String>,
        /// In how many seconds it may be asked again, where it said so.
        wait: Option<u64>,
    },
    /// The connection was lost after the request had been sent; it may have run.
    #[error("the connection to the gateway was lost before it answered")]
    Lost,
    /// No answer in time.
    #[error("the gateway did not answer within {seconds} s")]
    TimedOut {
        /// The limit that passed.
        seconds: u64,
    },
    /// Neither an answer nor news of progress for as long as a request may take; it may have run.
    #[error("the gateway has not answered this request for {seconds} s")]
    Overdue {
        /// The limit that passed.
        seconds: u64,
    },
    /// The host closed the conversation while the request was open.
    #[error("the bridge is shutting down")]
    Closing {
        /// Whether the request had been sent; it may have run.
        sent: bool,
    },
    /// The user does not want this tool (`--ignore-tool`): the user.
    #[error("tool `{0}` is not available")]
    HiddenTool(String),
    /// The host sent something that is no request: the host's developer.
    #[error("invalid request: {0}")]
    InvalidRequest(&'static str),
}

fn detail(reason: Option<&String>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
