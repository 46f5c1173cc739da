//! Everything a running mock knows.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::clock;
use super::plan::Plan;

/// One request that the mock has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The JSON-RPC method, or the grant type of a token request.
    pub what: Option<String>,
    /// The names of the headers, in lower case.
    pub headers: Vec<String>,
}

/// Shared by all requests.
#[derive(Debug)]
pub(super) struct State {
    pub(super) plan: Plan,
    pub(super) base: String,
    pub(super) web: String,
    pub(super) keys: HashMap<String, String>,
    pub(super) token_key: hmac::Key,
    pub(super) handoff_key: hmac::Key,
    inner: Mutex<Inner>,
}

/// What changes.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) ahead: Duration,
    pub(super) log: Vec<LoggedRequest>,
    pub(super) clients: HashMap<String, Client>,
    pub(super) codes: HashMap<String, Grant>,
    pub(super) refresh_tokens: HashMap<String, Refresh>,
    pub(super) dead_families: HashSet<u64>,
    pub(super) families: u64,
    pub(super) reuses: u64,
    /// Access tokens are numbered; those up to this number are refused.
    pub(super) expired_up_to: u64,
    pub(super) access_tokens: u64,
    pub(super) secrets: Vec<String>,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) waiting: HashMap<String, oneshot::Sender<Value>>,
    pub(super) calls: HashMap<String, u64>,
    pub(super) refuse_tokens: Option<(u32, u16)>,
}

/// A registered client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
}

/// What a person agreed to.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) resource: String,
    pub(super) organisation: String,
    pub(super) expires: u64,
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) grant: Grant,
    pub(super) family: u64,
    pub(super) used: bool,
    pub(super) expires: u64,
}

/// An MCP session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) organisation: String,
    pub(super) version: String,
    /// The stream for what the server has to say by itself.
    pub(super) stream: Option<mpsc::UnboundedSender<Value>>,
}

impl State {
    pub(super) fn new(plan: Plan, base: String, web: String) -> Self {
        let secret = plan.handoff_secret.clone().unwrap_or_else(|| random("handoff"));
        let keys: HashMap<_, _> = plan
            .organisations
            .iter()
            .map(|org| (org.clone(), format!("apx_live_sk_{:.32}", random(""))))
            .collect();
        let inner = Inner { secrets: keys.values().cloned().collect(), ..Inner::default() };
        Self {
            base,
            web,
            keys,
            token_key: hmac::Key::new(hmac::HMAC_SHA256, random("token").as_bytes()),
            handoff_key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            inner: Mutex::new(inner),
            plan,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> u64 {
        clock::unix() + self.lock().ahead.as_secs()
    }

    /// The endpoint of an organisation, which is also the identifier of its resource.
    pub(super) fn endpoint(&self, org: &str, transport: &str) -> String {
        format!("{}/mcp/{org}{transport}", self.base)
    }
}

/// A value that nobody can guess, with a prefix that tells what it is for.
pub(super) fn random(prefix: &str) -> String {
    let mut bytes = [0; 24];
    // Without randomness the mock's values repeat, which only a test would notice.
    SystemRandom::new().fill(&mut bytes).ok();
    format!("{prefix}{}", hex(&bytes))
}

/// The S256 transformation (RFC 7636 §4.2).
pub(super) fn s256(verifier: &str) -> String {
    use base64::Engine as _;
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}
