//! What all handlers of one gateway share.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::fault::Faults;
use super::keys::Keys;
use super::log::Log;
use super::mcp::{Sessions, Streams};
use super::oauth::{Client, Devices, Grants};
use super::plan::Plan;
use super::web::{Browsers, Pages};

/// A running gateway, seen from inside.
#[derive(Debug)]
pub(crate) struct Mock {
    pub(crate) plan: Plan,
    /// The origin of the gateway. No slash at the end.
    pub(crate) base_url: String,
    /// The issuer: the origin, and the path of the plan.
    pub(crate) issuer: String,
    /// The origin of the pages.
    pub(crate) web_url: String,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) log: Arc<Log>,
    pub(crate) faults: Faults,
    /// Registered clients by id.
    pub(crate) clients: Mutex<HashMap<String, Client>>,
    pub(crate) grants: Mutex<Grants>,
    pub(crate) devices: Mutex<Devices>,
    pub(crate) browsers: Browsers,
    pub(crate) pages: Pages,
    pub(crate) sessions: Sessions,
    pub(crate) streams: Streams,
    /// How often each tool was started.
    pub(crate) calls: Mutex<BTreeMap<String, u64>>,
    secrets: Mutex<Vec<String>>,
}

impl Mock {
    pub(crate) fn new(plan: Plan, base_url: String, web_url: String) -> io::Result<Self> {
        let mut secrets: Vec<String> = plan.api_keys.iter().map(|it| it.key.clone()).collect();
        secrets.extend(plan.machine_clients.iter().map(|it| it.client_secret.clone()));
        secrets.extend(
            plan.clients.iter().filter_map(|it| it.authentication.secret()).map(Into::into),
        );
        Ok(Self {
            issuer: format!("{base_url}{}", plan.issuer_path),
            base_url,
            web_url,
            clock: Clock::default(),
            keys: Keys::generate(plan.handoff_secret.as_ref())?,
            log: Arc::default(),
            faults: Faults::default(),
            clients: Mutex::new(static_clients(&plan)),
            grants: Mutex::default(),
            devices: Mutex::default(),
            browsers: Browsers::default(),
            pages: Pages::new()?,
            sessions: Sessions::default(),
            streams: Streams::default(),
            calls: Mutex::default(),
            secrets: Mutex::new(secrets),
            plan,
        })
    }

    /// Forgets all clients but those of the plan.
    pub(crate) fn forget_clients(&self) {
        *lock(&self.clients) = static_clients(&self.plan);
    }

    /// The HTTP+SSE endpoint of an organisation.
    pub(crate) fn sse_url(&self, org: &str) -> String {
        format!("{}/mcp/{org}/sse", self.base_url)
    }

    /// The Streamable HTTP endpoint of an organisation.
    pub(crate) fn http_url(&self, org: &str) -> String {
        format!("{}/mcp/{org}", self.base_url)
    }

    /// Whether there is such an organisation.
    pub(crate) fn has_org(&self, org: &str) -> bool {
        self.plan.organisations.iter().any(|it| it == org)
    }

    /// Makes a new secret, and remembers it for those who search outputs for it.
    pub(crate) fn issue(&self, prefix: &str) -> String {
        let secret = format!("{prefix}{}", self.keys.random());
        self.remember(&secret);
        secret
    }

    /// Remembers a secret that was made elsewhere.
    pub(crate) fn remember(&self, secret: &str) {
        lock(&self.secrets).push(secret.to_owned());
    }

    /// Every secret issued so far.
    pub(crate) fn secrets(&self) -> Vec<String> {
        lock(&self.secrets).clone()
    }
}

fn static_clients(plan: &Plan) -> HashMap<String, Client> {
    plan.clients.iter().map(|it| (it.client_id.clone(), it.into())).collect()
}

/// Locks. After a panic elsewhere a mock still has more use running than dead.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
