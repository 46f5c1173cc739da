//! What a gateway can testify about its clients. Secrets appear as fingerprints.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::state::{Mock, lock};

/// A client that the gateway came to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClientRecord {
    /// When, by the gateway's clock, since the Unix epoch.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// How.
    pub origin: ClientOrigin,
    /// Its id.
    pub client_id: String,
    /// What it calls itself.
    pub name: String,
    /// Where authorization responses to it may go.
    pub redirect_uris: Vec<String>,
    /// How it has to prove who it is.
    pub authentication: &'static str,
}

/// How the gateway came to know a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOrigin {
    /// By a document that its id names.
    Document,
    /// By the plan.
    Plan,
    /// Somebody made it in the developer portal.
    Portal,
    /// It registered itself.
    Registration,
}

/// A refresh token, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefreshTokenRecord {
    /// Its [`fingerprint`](super::fingerprint).
    pub token: String,
    /// The same for all tokens that come from one sign-in.
    pub chain: u64,
    /// The fingerprint of the token that it was exchanged for; none = it came with a sign-in.
    pub parent: Option<String>,
    /// The client that it belongs to.
    pub client_id: String,
    /// Who signed in.
    pub user: String,
    /// For which organisation.
    pub org: String,
    /// When it was issued.
    #[serde(serialize_with = "seconds")]
    pub issued: Duration,
    /// When it ends, if it is not used before.
    #[serde(serialize_with = "seconds")]
    pub expires: Duration,
    /// Every time that its client presented it.
    #[serde(serialize_with = "all_seconds")]
    pub presented: Vec<Duration>,
    /// Whether it was exchanged.
    pub used: bool,
    /// Whether its chain was revoked.
    pub revoked: bool,
}

/// A tool that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ToolRun {
    /// When it began.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// The tool.
    pub tool: String,
    /// The organisation.
    pub org: String,
    /// The fingerprint of the session id; none = without a session.
    pub session: Option<String>,
    /// The id of the request, as the client wrote it.
    pub id: String,
    /// The fingerprint of the arguments, as the client wrote them.
    pub arguments: String,
    /// How it ended; none while it runs.
    pub ending: Option<RunEnding>,
    /// Tells runs apart.
    #[serde(skip)]
    pub(crate) number: u64,
}

/// How the run of a tool ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnding {
    /// With a result, an error, or a question to the client.
    Answered,
    /// The client cancelled it: by `notifications/cancelled`, or (2026-07-28) by closing the stream.
    Cancelled,
}

/// A tool that runs now. Dropping this ends it; nobody but a client that cancels does so before it
/// is [`done`](Self::done).
#[derive(Debug)]
pub(crate) struct Running {
    mock: Arc<Mock>,
    number: u64,
    ending: RunEnding,
}

impl Running {
    pub(crate) fn new(mock: &Arc<Mock>, number: u64) -> Self {
        Self { mock: Arc::clone(mock), number, ending: RunEnding::Cancelled }
    }

    pub(crate) fn done(mut self) {
        self.ending = RunEnding::Answered;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut runs = lock(&self.mock.runs);
        if let Some(run) = runs.iter_mut().rev().find(|it| it.number == self.number) {
            run.ending = Some(self.ending);
        }
    }
}

/// Seconds since the Unix epoch, with a fraction.
pub(crate) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// The same, for what may not have happened.
#[expect(clippy::ref_option, reason = "serde hands members over so")]
pub(crate) fn maybe_seconds<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|it| it.as_secs_f64()).serialize(serializer)
}

fn all_seconds<S: Serializer>(times: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().map(Duration::as_secs_f64))
}
