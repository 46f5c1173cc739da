//! Why a sign-in failed, named by who must act.

use thiserror::Error;

/// Why a sign-in failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignInFailure {
    /// The server's metadata breaks a rule that protects the user.
    #[error("{subject} {got}, expected {expected}")]
    ServerMisbehaved {
        /// Which document or answer.
        subject: String,
        /// What it says.
        got: String,
        /// What the standard asks for.
        expected: String,
    },
    /// The server offers nothing that this program can use.
    #[error("the authorization server at `{issuer}` does not offer {missing}")]
    ServerIncompatible {
        /// The issuer.
        issuer: String,
        /// What it would have to offer.
        missing: &'static str,
    },
    /// A gateway from before MCP authorization: nothing is announced, and nobody can register.
    #[error(
        "the 401 of `{server}` {lacks}, and the gateway has neither metadata nor a registration to sign in with"
    )]
    NoSignIn {
        /// The MCP endpoint, without its query.
        server: String,
        /// What a newer gateway would have said.
        lacks: &'static str,
    },
    /// The authorization endpoint is not there; the person has seen no more than that.
    #[error("the sign-in page `{page}` is not there: HTTP {status}")]
    NoPage {
        /// The authorization endpoint, without its query.
        page: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server said no (RFC 6749 §4.1.2.1, §5.2; RFC 7591 §3.2.2).
    #[error("the authorization server refused {step}: `{error}`{}", describe(.description.as_ref()))]
    Refused {
        /// What was asked for.
        step: &'static str,
        /// The error code.
        error: String,
        /// `error_description`, where there was one.
        description: Option<String>,
    },
    /// A document or the token endpoint could not be reached, or answered 5xx: later it may work.
    #[error("{step} failed: {cause}")]
    Transient {
        /// What was asked for.
        step: &'static str,
        /// What the network or the server said.
        cause: String,
    },
    /// Nobody finished the sign-in in time.
    #[error("nobody finished the sign-in within {seconds} s")]
    TimedOut {
        /// The limit that passed.
        seconds: u64,
        /// Where to sign in.
        url: String,
    },
    /// The host left before the person had signed in.
    #[error("nobody has signed in yet{}", at(.url))]
    Unfinished {
        /// Where to sign in; empty if it was not known yet.
        url: String,
    },
    /// Another process of this person tried, a moment ago.
    #[error("the sign-in in another process did not work: {reason}")]
    Elsewhere {
        /// What went wrong there.
        reason: String,
        /// Whether nobody was asked for anything yet, and the next try may work.
        passing: bool,
    },
    /// Another process of this person has begun, and neither ends nor goes on.
    #[error("another process has begun the sign-in and does not go on with it")]
    Stuck,
    /// The redirect listener could not be started: this machine.
    #[error("cannot listen for the sign-in on this machine: {reason}")]
    Local {
        /// What the system said.
        reason: String,
    },
    /// The gateway refuses the token that its own authorization server has just issued.
    #[error("the gateway refuses the token that its authorization server has just issued")]
    FreshTokenRefused,
}

fn at(url: &str) -> String {
    if url.is_empty() { String::new() } else { format!(": please sign in at {url}") }
}

fn describe(description: Option<&String>) -> String {
    description.map(|text| format!(": {text}")).unwrap_or_default()
}
