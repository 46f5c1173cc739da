//! What the server remembers of a client between its messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};

use super::change::Change;
use super::jsonrpc::RpcError;
use super::stream::Outlet;
use crate::mock::state::lock;

/// The revisions of MCP with a handshake, in order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Revision {
    R20241105,
    R20250326,
    R20250618,
    R20251125,
}

impl Revision {
    pub(crate) const LATEST: Self = Self::R20251125;

    pub(crate) const ALL: [Self; 4] =
        [Self::R20241105, Self::R20250326, Self::R20250618, Self::R20251125];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::R20241105 => "2024-11-05",
            Self::R20250326 => "2025-03-26",
            Self::R20250618 => "2025-06-18",
            Self::R20251125 => "2025-11-25",
        }
    }
}

/// One client's session, of either transport.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) org: String,
    /// What `initialize` agreed on.
    pub(crate) revision: Mutex<Option<Revision>>,
    /// Where messages go that belong to no request.
    pub(crate) stream: Mutex<Option<Outlet>>,
    /// Requests of the server that the client has not answered.
    asked: Mutex<HashMap<String, oneshot::Sender<String>>>,
    n_asked: AtomicU64,
    /// Requests of the client that still run.
    running: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Session {
    pub(crate) fn new(id: String, org: &str) -> Self {
        Self {
            id,
            org: org.to_owned(),
            revision: Mutex::default(),
            stream: Mutex::default(),
            asked: Mutex::default(),
            n_asked: AtomicU64::default(),
            running: Mutex::default(),
        }
    }

    /// Asks the client.
    pub(crate) fn pose(&self, outlet: &Outlet, method: &str, params: &str) -> Asked {
        let n = self.n_asked.fetch_add(1, Ordering::Relaxed);
        let id = format!("\"mock-{n}\"");
        let (answered, answer) = oneshot::channel();
        lock(&self.asked).insert(id.clone(), answered);
        outlet.message(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ));
        Asked { id, method: method.to_owned(), answer }
    }

    /// Waits for the text of a response.
    pub(crate) async fn wait(&self, asked: Asked) -> Result<String, RpcError> {
        let answer = tokio::time::timeout(ASK_LIMIT, asked.answer).await;
        lock(&self.asked).remove(&asked.id);
        answer.ok().and_then(Result::ok).ok_or_else(|| {
            RpcError::new(-32001, format!("the client did not answer `{}` in time", asked.method))
        })
    }

    /// Takes in a response of the client. One that nobody waits for is ignored.
    pub(crate) fn answered(&self, id: &RawValue, text: String) {
        if let Some(waiting) = lock(&self.asked).remove(id.get()) {
            waiting.send(text).ok();
        }
    }

    /// Runs a request until it is done or the client cancels it: none then.
    pub(crate) async fn run<T>(&self, id: &RawValue, work: impl Future<Output = T>) -> Option<T> {
        let cancelled = Arc::new(Notify::new());
        lock(&self.running).insert(id.get().to_owned(), Arc::clone(&cancelled));
        let outcome = tokio::select! {
            outcome = work => Some(outcome),
            () = cancelled.notified() => None,
        };
        lock(&self.running).remove(id.get());
        outcome
    }

    /// Cancels a running request, if it still runs.
    pub(crate) fn cancel(&self, id: &str) {
        if let Some(running) = lock(&self.running).get(id) {
            running.notify_one();
        }
    }
}

/// A request of the server that is on its way.
#[derive(Debug)]
pub(crate) struct Asked {
    id: String,
    method: String,
    answer: oneshot::Receiver<String>,
}

/// The sessions of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    known: Mutex<HashMap<String, Arc<Session>>>,
    /// By organisation: stands in for requests without a session, which the product answers.
    nameless: Mutex<HashMap<String, Arc<Session>>>,
}

impl Sessions {
    /// Begins a session.
    pub(crate) fn begin(&self, id: String, org: &str) -> Arc<Session> {
        let session = Arc::new(Session::new(id.clone(), org));
        lock(&self.known).insert(id, Arc::clone(&session));
        session
    }

    /// The session of this organisation with this id.
    pub(crate) fn find(&self, id: &str, org: &str) -> Option<Arc<Session>> {
        lock(&self.known).get(id).filter(|it| it.org == org).cloned()
    }

    /// What stands in for a session.
    pub(crate) fn nameless(&self, org: &str) -> Arc<Session> {
        let mut nameless = lock(&self.nameless);
        let session = nameless
            .entry(org.to_owned())
            .or_insert_with(|| Arc::new(Session::new(String::new(), org)));
        Arc::clone(session)
    }

    /// Ends a session. Its streams end when nothing that runs holds it any more.
    pub(crate) fn end(&self, id: &str) {
        lock(&self.known).remove(id);
    }

    /// Tells everybody who has a stream for it.
    pub(crate) fn announce(&self, change: &Change) {
        for session in lock(&self.known).values() {
            if let Some(outlet) = &*lock(&session.stream) {
                outlet.message(&change.notification(None));
            }
        }
    }

    /// Ends all sessions.
    pub(crate) fn forget(&self) {
        lock(&self.known).clear();
    }
}

/// A person may have to read a form.
const ASK_LIMIT: Duration = Duration::from_secs(30);
