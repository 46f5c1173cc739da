//! The request log: what arrived, enough to assert on, and no secret in it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use serde::Serialize;
use tokio::sync::watch;

use super::evidence::{maybe_seconds, seconds};
use super::keys::sha256;
use super::state::lock;

/// One request as the gateway saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// When it arrived, by the gateway's clock, since the Unix epoch.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// Which of the two origins it came to.
    pub site: Site,
    /// The HTTP method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The names of the query parameters, in order.
    pub query: Vec<String>,
    /// Lower-case names and values, in order. The value of every header that is not known to be
    /// harmless is its [`fingerprint`].
    pub headers: Vec<(String, String)>,
    /// The status of the answer; none while there is none, and for ever when the connection ended
    /// before.
    pub status: Option<u16>,
    /// When the head of the answer was ready.
    #[serde(serialize_with = "maybe_seconds")]
    pub answered: Option<Duration>,
    /// What the head of the answer says that is worth knowing: lower-case names and values. Of
    /// `location` there is no query.
    pub answer: Vec<(String, String)>,
    /// What kind of credential it carried.
    pub credential: Credential,
    /// Whose credential it was: a user, a machine client, or the name of an API key.
    pub caller: Option<String>,
    /// Of a request that names a client, or whose token does: its id.
    pub client_id: Option<String>,
    /// Of a token request: its `grant_type`.
    pub grant_type: Option<String>,
    /// Of a token request: the [`fingerprint`] of its refresh token.
    pub refresh_token: Option<String>,
    /// Of a POST to an MCP endpoint: the messages in it.
    pub messages: Vec<LoggedMessage>,
    /// The faults that struck it, as they were ordered; not those that struck a stream later.
    pub faults: Vec<String>,
}

impl LoggedRequest {
    /// The logged value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The JSON-RPC method of the first message.
    pub fn rpc_method(&self) -> Option<&str> {
        self.messages.first()?.method.as_deref()
    }
}

/// A JSON-RPC message as the gateway saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedMessage {
    /// The method; none for a response.
    pub method: Option<String>,
    /// The id as the client wrote it; none for a notification.
    pub id: Option<String>,
    /// Of `tools/call`: the tool.
    pub tool: Option<String>,
}

/// One of the two origins of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// MCP endpoints and authorization server.
    Gateway,
    /// Sign-in and consent.
    Web,
}

/// The kind of credential that a request carried, whether or not it was good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// `X-API-Key`.
    ApiKey,
    /// `Authorization: Bearer`.
    Bearer,
    /// `client_assertion`: a token that the client has signed.
    ClientAssertion,
    /// `Authorization: Basic`, or a `client_secret` in the form.
    ClientSecret,
    /// None of these.
    None,
}

/// How a secret appears in the log: the first 16 hexadecimal digits of its SHA-256.
pub fn fingerprint(secret: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in sha256(secret.as_bytes()).iter().take(8) {
        // Writing to a `String` cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

tokio::task_local! {
    /// The entry of the request that is being handled.
    static CURRENT: Note;
}

/// Writes into the entry of the request that is being handled, if one is.
pub(crate) fn note(change: impl FnOnce(&mut LoggedRequest)) {
    CURRENT.try_with(|note| note.add(change)).ok();
}

/// All requests so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    kept: Mutex<Kept>,
    /// How often something was entered or changed.
    revision: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Entry>,
    /// The number of requests forgotten, which is the number of the first one kept.
    first: usize,
}

#[derive(Debug)]
struct Entry {
    request: LoggedRequest,
    /// The revision of the log that changed it last.
    revision: u64,
}

/// What is new in the log.
#[derive(Debug, Serialize)]
pub(crate) struct News {
    /// The revision up to which this is everything.
    pub(crate) revision: u64,
    pub(crate) requests: Vec<Numbered>,
}

/// A request, and its place in the log.
#[derive(Debug, Serialize)]
pub(crate) struct Numbered {
    number: usize,
    #[serde(flatten)]
    request: LoggedRequest,
}

impl Log {
    /// Enters a request that has just arrived.
    pub(crate) fn enter(self: &Arc<Self>, site: Site, parts: &Parts, at: Duration) -> Note {
        let request = LoggedRequest {
            at,
            site,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: query_names(parts.uri.query()),
            headers: headers(&parts.headers),
            status: None,
            answered: None,
            answer: Vec::new(),
            credential: credential(&parts.headers),
            caller: None,
            client_id: None,
            grant_type: None,
            refresh_token: None,
            messages: Vec::new(),
            faults: Vec::new(),
        };
        let mut kept = lock(&self.kept);
        if kept.requests.len() == MAX_KEPT {
            kept.requests.pop_front();
            kept.first += 1;
        }
        let revision = self.count();
        kept.requests.push_back(Entry { request, revision });
        Note { log: Arc::clone(self), number: kept.first + kept.requests.len() - 1 }
    }

    /// A copy of what is kept.
    pub(crate) fn requests(&self) -> Vec<LoggedRequest> {
        lock(&self.kept).requests.iter().map(|it| it.request.clone()).collect()
    }

    /// The requests that were entered or changed since a revision, the last so many of them.
    pub(crate) fn news(&self, since: u64, most: usize) -> News {
        let kept = lock(&self.kept);
        let begin = kept.requests.len().saturating_sub(most);
        let requests = kept.requests.iter().enumerate().skip(begin);
        let requests = requests
            .filter(|(_, it)| since < it.revision)
            .map(|(at, it)| Numbered { number: kept.first + at, request: it.request.clone() });
        News { requests: requests.collect(), revision: *self.revision.borrow() }
    }

    /// Waits until something is newer than a revision. One from before a restart is never waited for.
    pub(crate) async fn changed(&self, since: u64) {
        self.revision.subscribe().wait_for(|it| *it != since).await.ok();
    }

    /// The next revision. Only who holds the lock may ask, so that none is told before it is there.
    fn count(&self) -> u64 {
        self.revision.send_modify(|it| *it += 1);
        *self.revision.borrow()
    }
}

/// What a handler holds to add to the entry of its request.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    log: Arc<Log>,
    number: usize,
}

impl Note {
    /// Handles the request of this entry.
    pub(crate) async fn cover<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// Changes the entry, if it is still kept.
    pub(crate) fn add(&self, change: impl FnOnce(&mut LoggedRequest)) {
        let mut kept = lock(&self.log.kept);
        let at = self.number.checked_sub(kept.first);
        if let Some(entry) = at.and_then(|at| kept.requests.get_mut(at)) {
            change(&mut entry.request);
            entry.revision = self.log.count();
        }
    }
}

fn query_names(query: Option<&str>) -> Vec<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect()
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            let shown = HARMLESS.contains(&name.as_str());
            let value = if shown { value.into_owned() } else { fingerprint(&value) };
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// The headers of an answer that are worth knowing.
pub(crate) fn answer_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| TOLD.contains(&name.as_str()));
    told.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        // Codes and hand-offs are in queries.
        let value = match value.split_once('?') {
            Some((front, _)) if name == http::header::LOCATION => front.to_owned(),
            _ => value.into_owned(),
        };
        (name.as_str().to_owned(), value)
    })
    .collect()
}

fn credential(headers: &HeaderMap) -> Credential {
    if headers.contains_key("x-api-key") {
        return Credential::ApiKey;
    }
    let scheme = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(' ').next())
        .map(str::to_ascii_lowercase);
    match scheme.as_deref() {
        Some("bearer") => Credential::Bearer,
        Some("basic") => Credential::ClientSecret,
        _ => Credential::None,
    }
}

/// Enough for every test; a program that runs for weeks stays below 200 MB.
const MAX_KEPT: usize = 100_000;

/// Headers that never carry a secret.
const HARMLESS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "origin",
    "transfer-encoding",
    "user-agent",
];

/// Headers of answers that tell a client what to do.
const TOLD: [&str; 5] = ["allow", "content-type", "location", "retry-after", "www-authenticate"];
