//! Faults that a test orders beforehand: the next n matching requests go wrong in a given way.
//!
//! To add one: a variant here, its name in `faults.rs`, a `take` where it strikes, a test in `tests`,
//! a row in `docs/mock-gateway.md`.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::state::lock;

/// A way to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// HTTP+SSE: the answer is on the stream before the POST is answered with 202.
    AnswerBefore202,
    /// A tool runs, and its answer never comes.
    AnswerLost,
    /// The answer to a tool call comes twice on the stream.
    AnswerTwice,
    /// The authorization response is this error (RFC 6749 4.1.2.1).
    AuthorizeError(String),
    /// The `iss` of the authorization response (RFC 9207): another one, or none at all.
    AuthorizeIss(Option<String>),
    /// The `state` of the authorization response: another one, or none at all.
    AuthorizeState(Option<String>),
    /// The browser does not keep the cookie of a sign-in, as between hosts without a parent in
    /// common: the consent page asks again.
    CookieLost,
    /// HTTP+SSE: the data of the `endpoint` event.
    EndpointEvent(String),
    /// 403 without a challenge, as the allow-list of addresses gives it.
    Forbidden,
    /// The decision of the consent page does not pass the gateway, as where the secrets of gateway
    /// and web differ.
    HandoffInvalid,
    /// 403 with a challenge that asks for this scope (RFC 6750 3.1).
    InsufficientScope(String),
    /// Delays a request of any kind to the gateway.
    Latency(Duration),
    /// Answers a POST to an MCP endpoint with a redirect (307) to this URL.
    PostRedirect(String),
    /// Answers a POST to an MCP endpoint with this status instead of handling it.
    PostStatus(u16),
    /// 429, with these seconds in `Retry-After`.
    RateLimit(Option<u64>),
    /// Answers a registration with this status instead of handling it.
    RegisterStatus(u16),
    /// Replaces a member of the resource metadata (RFC 9728 2); `null` removes it.
    ResourceMetadata(String, Value),
    /// Answers a request for resource metadata with this status.
    ResourceMetadataStatus(u16),
    /// Replaces a member of the authorization server metadata (RFC 8414 2); `null` removes it.
    ServerMetadata(String, Value),
    /// Answers a request for authorization server metadata with this status.
    ServerMetadataStatus(u16),
    /// Forgets the session that a message belongs to: 404.
    SessionLost,
    /// Answers the GET that opens a stream with this status.
    SseStatus(u16),
    /// Answers a token request with this error and 400, or 401 where it is `invalid_client`.
    TokenError(String),
    /// Answers a token request with 200 and a page of HTML.
    TokenHtml,
    /// Replaces a member of the token response (RFC 6749 5.1); `null` removes it.
    TokenMember(String, Value),
    /// Rotates the refresh token (or uses up the code), then resets the connection: the client
    /// never sees the new token.
    TokenResetAfterRotate,
    /// Answers a token request with this status instead of handling it.
    TokenStatus(u16),
    /// 401 `invalid_token`, whatever the credential.
    Unauthorized,
    /// 401 without `WWW-Authenticate`, whatever the credential.
    UnauthorizedWithoutChallenge,
}

/// The faults still to come, in the order in which they were ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<Vec<Planned>>,
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    left: u32,
}

impl Faults {
    /// Lets the next `times` matching requests go wrong.
    pub(crate) fn inject(&self, fault: Fault, times: u32) {
        if times != 0 {
            lock(&self.planned).push(Planned { fault, left: times });
        }
    }

    /// Uses up the first fault that `pick` accepts.
    pub(crate) fn take<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut planned = lock(&self.planned);
        let (at, picked) =
            planned.iter().enumerate().find_map(|(at, it)| Some((at, pick(&it.fault)?)))?;
        if let Some(it) = planned.get_mut(at) {
            it.left -= 1;
        }
        planned.retain(|it| it.left != 0);
        Some(picked)
    }

    /// Uses up a fault that has nothing to tell but that it strikes.
    pub(crate) fn strikes(&self, fault: &Fault) -> bool {
        self.take(|it| (it == fault).then_some(())).is_some()
    }

    /// Uses up every fault that replaces a member of `document`, once each.
    pub(crate) fn replace(
        &self,
        document: &mut Value,
        pick: impl Fn(&Fault) -> Option<(String, Value)>,
    ) {
        let Some(document) = document.as_object_mut() else { return };
        let mut planned = lock(&self.planned);
        for it in planned.iter_mut() {
            let Some((member, value)) = pick(&it.fault) else { continue };
            it.left -= 1;
            if value.is_null() {
                document.remove(&member);
            } else {
                document.insert(member, value);
            }
        }
        planned.retain(|it| it.left != 0);
    }
}
