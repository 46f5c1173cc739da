//! Faults that are ordered beforehand: requests go wrong in a given way.
//!
//! To add one: a variant here, a line in `entries.rs`, a `take` where it strikes, a test in `tests`.

mod engine;
mod entries;
mod order;
mod route;
mod table;

use std::time::Duration;

use serde_json::Value;

pub(crate) use engine::Faults;
pub use order::FaultOrder;
pub(crate) use route::NAMES as ROUTES;
pub use route::Route;
pub(crate) use table::{help, known};

use super::plan::Consent;

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
    /// The answer comes with these line ends between its tokens.
    AnswerLines(&'static str),
    /// Two messages in one event: a notification, and the answer.
    AnswerTwoInOne,
    /// Before the answer comes one to a request that nobody made.
    AnswerUnknownId,
    /// No more than so many bytes a second.
    Bandwidth(u64),
    /// The answer has this many bytes of headers more.
    BigHeaders(usize),
    /// A tool's result is this many bytes long.
    BigResult(usize),
    /// The challenge of a 401; none = there is none.
    Challenge(Option<String>),
    /// Chunks whose size is no number.
    ChunkedGarbage,
    /// The code of the authorization response was used before.
    CodeReuse,
    /// This decision, whatever the plan says.
    ConsentIs(Consent),
    /// The authorization endpoint does not answer.
    ConsentHang,
    /// The decision takes its time.
    ConsentSlow(Duration),
    /// The client's redirect URI is asked for twice: by the mock, and then by the browser.
    ConsentTwice,
    /// Another media type for the answer.
    ContentType(String),
    /// Streams are cut so long after they began.
    DropStream(Duration),
    /// Two lengths of the body that differ.
    DuplicateContentLength,
    /// A body without end.
    EndlessBody,
    /// Events have ids (and the transport is resumable by them).
    EventIds,
    /// The connection is closed without an answer.
    Fin,
    /// Streams end in order so long after they began.
    Flap(Duration),
    /// A body that is small only as long as it is not decompressed: so many bytes.
    GzipBomb(u64),
    /// The connection stays open, and nothing more is read from or written to it.
    HalfOpen,
    /// The pause after which an idle stream gets a comment; none = it gets none.
    Heartbeat(Option<Duration>),
    /// HTTP/2: GOAWAY; HTTP/1.1: the connection closes after the answer.
    Goaway,
    /// A member of a JSON answer nests so deep.
    JsonDeep(usize),
    /// The first member of a JSON answer comes twice.
    JsonDuplicate,
    /// A JSON answer is no UTF-8.
    JsonInvalidUtf8,
    /// Delays a request by something between these two.
    LatencyBetween(Duration, Duration),
    /// The connection is closed after so many bytes of the answer.
    LimitData(u64),
    /// The token is for this organisation, whoever asked for which.
    LoginAccount(String),
    /// Streams cannot be resumed.
    NoResume,
    /// Everything is as always.
    Nothing,
    /// A stream carries so many notifications a second.
    NotifyFlood(u64),
    /// A POST is answered by a stream that closes so long after its first event: the client has to
    /// come back for the answer.
    Polling(Duration),
    /// A stream begins with an event that has an id and no data.
    Priming,
    /// Answers with a redirect to this URL.
    Redirect(String, u16),
    /// Answers with a redirect to the same place.
    RedirectLoop,
    /// A connection is reset before anything is read from it.
    Refuse,
    /// Replaces a member of the registration response; `null` removes it.
    RegistrationMember(String, Value),
    /// A client is forgotten as soon as it is registered.
    RegistrationForgotten,
    /// There is no registration, and the metadata says nothing of one.
    RegistrationOff,
    /// The connection is reset instead of an answer.
    Reset,
    /// The connection is reset after so many bytes of the answer.
    ResetAfter(u64),
    /// The gateway restarts: no connection survives, no session is known, and for so long nobody
    /// listens.
    Restart(Duration),
    /// The `retry` field at the beginning of streams, in milliseconds.
    RetryField(u64),
    /// 429 (or the status of another fault) with `Retry-After` in seconds.
    RetryAfter(u64),
    /// The same with the date so many seconds ahead.
    RetryAfterDate(u64),
    /// While a tool runs, the client is asked by this method.
    ServerRequest(String),
    /// The answer sets a cookie.
    SetCookie,
    /// Bytes are written in pieces of this size.
    Slicer(usize),
    /// The close of a connection is delayed.
    SlowClose(Duration),
    /// 202 is delayed.
    Slow202(Duration),
    /// Streams begin with a byte order mark.
    SseBom,
    /// Streams are written in pieces of this size.
    SseChunk(usize),
    /// The line ends of streams.
    SseLines(&'static str),
    /// Answers with this status.
    Status(u16),
    /// A TLS connection ends without `close_notify`.
    TlsNoCloseNotify,
    /// What is wrong with the certificate.
    TlsCertificate(Flaw),
    /// Tokens come with this status instead of 200.
    TokenAnswerStatus(u16),
    /// An OAuth error with the status 200.
    TokenErrorWithOk(String),
    /// Tokens come form-encoded.
    TokenForm,
    /// For so many seconds a refresh token that was used works again.
    TokenGrace(u64),
    /// The same, as long as its successor was not used.
    TokenGraceLastOnly(u64),
    /// A used refresh token is refused, but its chain lives on.
    TokenReuseIgnored,
    /// All refresh tokens so far are revoked.
    TokenRevokeAll,
    /// Refresh tokens do not rotate.
    TokenRotateOff,
    /// The refresh token rotates, and the answer never comes.
    TokenRotateThenDie,
    /// Access tokens live for so many seconds.
    TokenTtl(u64),
    /// A tool fails with this text.
    ToolError(String),
    /// 2026-07-28: a client that has answered is asked the same again.
    AskAgain,
    /// 2026-07-28: replaces a member of the result of `server/discover`; `null` removes it.
    DiscoverMember(String, Value),
    /// 2026-07-28: -32020, whatever the headers.
    HeaderMismatch,
    /// `initialize` is refused with this code: -32020, -32022 or -32601.
    InitializeRefused(i32),
    /// 2026-07-28: a subscription goes wrong in this way.
    Listen(ListenFlaw),
    /// 2026-07-28: a subscription ends in order so long after it began.
    ListenEnd(Duration),
    /// 2026-07-28: -32021, as the client did not declare this capability.
    MissingCapability(String),
    /// 2026-07-28: another `resultType`, or none.
    ResultType(Option<String>),
    /// The list of tools has one more: this definition.
    ExtraTool(Value),
    /// 2026-07-28: -32022, with these versions as the supported ones.
    UnsupportedVersion(Vec<String>),
}

/// What is wrong with a subscription (2026-07-28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenFlaw {
    /// A notification comes before the acknowledgement.
    Early,
    /// There is no acknowledgement.
    NoAcknowledgement,
    /// It carries what the client did not ask for.
    Unasked,
    /// The server knows no subscriptions: 404, -32601.
    Unknown,
    /// Nothing on it says which subscription it belongs to.
    Untagged,
    /// Everything on it says that it belongs to another subscription.
    WrongTag,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It has expired.
    Expired,
    /// Nobody but itself vouches for it.
    SelfSigned,
    /// It is for another host.
    WrongName,
}
