//! What a failure or a refusal means, in the words of [`Failure`].

use bytes::Bytes;

use super::Bridge;
use crate::core::event::{Delivery, FailureKind, Head, HttpFailure};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Message, read};
use crate::core::link::without_query;
use crate::core::oauth::challenge::Challenge;
use crate::core::time::Moment;

impl Bridge {
    /// What a network failure means for a request.
    pub(super) fn failed(&self, failure: &HttpFailure) -> Failure {
        match (failure.delivery, failure.kind) {
            (_, FailureKind::TooLarge | FailureKind::Malformed) => Failure::Misbehaved {
                got: failure.cause.clone(),
                expected: "a JSON-RPC message or an event stream",
            },
            (_, FailureKind::Certificate) => {
                Failure::Untrusted { server: self.origin(), cause: failure.cause.clone() }
            }
            (Delivery::Unknown, FailureKind::Network) => Failure::Lost,
            _ => Failure::Unreachable { server: self.origin(), cause: failure.cause.clone() },
        }
    }

    /// What an HTTP status means for a request.
    pub(super) fn refusal(&self, head: &Head, body: &Bytes, now: Moment) -> Failure {
        let status = head.status;
        match status {
            401 if self.access.is_static() => self.credential_refused(status),
            403 if self.access.is_static() && Challenge::from_headers(&head.headers).is_none() => {
                Failure::Forbidden { status, reason: reason(body) }
            }
            403 => {
                let challenge = Challenge::from_headers(&head.headers).unwrap_or_default();
                let said = challenge.error_description.or(challenge.error);
                Failure::Forbidden { status, reason: said.or_else(|| reason(body)) }
            }
            // It comes from a proxy, whoever is behind it.
            407 => Failure::Unreachable {
                server: self.origin(),
                cause: "the proxy wants a user name and a password (HTTP 407)".to_owned(),
            },
            413 | 429 | 502..=504 => Failure::Limited {
                status,
                reason: reason(body),
                wait: head.retry_after(now.unix).map(|wait| wait.as_secs()),
            },
            300..=399 => Failure::Misbehaved {
                got: match head.header("location") {
                    Some(location) => format!(
                        "HTTP {status}, a redirect to `{}`",
                        without_query(self.server(), location)
                    ),
                    None => format!("HTTP {status}, a redirect to nowhere"),
                },
                expected: "an answer at the configured URL",
            },
            _ => {
                let said = reason(body).map(|text| format!(": {text}")).unwrap_or_default();
                Failure::Misbehaved {
                    got: format!("HTTP {status}{said}"),
                    expected: "an MCP message",
                }
            }
        }
    }

    pub(super) fn credential_refused(&self, status: u16) -> Failure {
        Failure::CredentialRefused { status, headers: self.header_names.clone() }
    }
}

/// The beginning of a text body, for people.
fn reason(body: &[u8]) -> Option<String> {
    /// Longer bodies are pages, not reasons.
    const LONGEST: usize = 200;
    if let Ok(Frame::Single(Message::Response { result: None, .. })) = read(body.trim_ascii()) {
        return error_message(body).map(|text| text.chars().take(LONGEST).collect());
    }
    let text = std::str::from_utf8(body).ok()?.trim();
    if text.is_empty() || text.starts_with('<') {
        return None;
    }
    Some(text.chars().take(LONGEST).collect())
}

/// What a JSON-RPC error says.
fn error_message(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.get("error")?.get("message")?.as_str().map(str::to_owned)
}
