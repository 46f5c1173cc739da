//! What all handlers of one gateway share.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Clock;
use super::evidence::{ClientOrigin, ClientRecord, Running, ToolRun};
use super::fault::Faults;
use super::keys::Keys;
use super::log::Log;
use super::mcp::{Change, Listeners, Sessions, Streams};
use super::oauth::{Client, Devices, Grants};
use super::plan::Plan;
use super::serve::Restart;
use super::tenant::Tenants;
use super::tls::{self, Tls};
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
    /// What the dashboard changes.
    pub(crate) tenants: Mutex<Tenants>,
    /// Registered clients by id.
    pub(crate) clients: Mutex<HashMap<String, Client>>,
    pub(crate) grants: Mutex<Grants>,
    pub(crate) devices: Mutex<Devices>,
    pub(crate) browsers: Browsers,
    pub(crate) pages: Pages,
    pub(crate) sessions: Sessions,
    pub(crate) streams: Streams,
    pub(crate) listeners: Listeners,
    /// Orders to restart, for those who accept and those who serve connections.
    pub(crate) restarts: watch::Sender<Restart>,
    /// How often each tool was started.
    pub(crate) calls: Mutex<BTreeMap<String, u64>>,
    /// The tools that were started last.
    pub(crate) runs: Mutex<VecDeque<ToolRun>>,
    /// Every client that was met.
    pub(crate) met: Mutex<Vec<ClientRecord>>,
    /// Opens `/__mock/…`.
    pub(crate) control_token: String,
    pub(crate) tls: Option<Tls>,
    secrets: Mutex<Vec<String>>,
}

impl Mock {
    pub(crate) fn new(plan: Plan, base_url: String, web_url: String) -> io::Result<Self> {
        let keys = Keys::generate(&plan)?;
        let tls = plan.tls.then(|| Tls::generate(&hosts(&plan, [&base_url, &web_url])));
        let tls = tls.transpose()?;
        let control_token = keys.random();
        let mut secrets: Vec<String> = plan.api_keys.iter().map(|it| it.key.clone()).collect();
        secrets.extend(plan.machine_clients.iter().map(|it| it.client_secret.clone()));
        secrets.extend(
            plan.clients.iter().filter_map(|it| it.authentication.secret()).map(Into::into),
        );
        let clock = Clock::default();
        let tenants = Tenants::new(&plan, clock.now());
        let mock = Self {
            issuer: format!("{base_url}{}", plan.issuer_path),
            base_url,
            web_url,
            clock,
            keys,
            log: Arc::default(),
            faults: Faults::new(plan.seed),
            tenants: Mutex::new(tenants),
            clients: Mutex::new(static_clients(&plan)),
            grants: Mutex::default(),
            devices: Mutex::default(),
            browsers: Browsers::default(),
            pages: Pages::new()?,
            sessions: Sessions::default(),
            streams: Streams::default(),
            listeners: Listeners::default(),
            restarts: watch::Sender::default(),
            calls: Mutex::default(),
            runs: Mutex::default(),
            met: Mutex::default(),
            control_token,
            tls,
            secrets: Mutex::new(secrets),
            plan,
        };
        for (client_id, client) in static_clients(&mock.plan) {
            mock.meet(ClientOrigin::Plan, &client_id, &client);
        }
        Ok(mock)
    }

    /// Writes down that a tool was started.
    pub(crate) fn started(self: &Arc<Self>, mut run: ToolRun) -> Running {
        *lock(&self.calls).entry(run.tool.clone()).or_default() += 1;
        let mut runs = lock(&self.runs);
        run.number = runs.back().map_or(0, |last| last.number + 1);
        let running = Running::new(self, run.number);
        if runs.len() == MAX_RUNS {
            runs.pop_front();
        }
        runs.push_back(run);
        running
    }

    /// Writes down that a client was met.
    pub(crate) fn meet(&self, origin: ClientOrigin, client_id: &str, client: &Client) {
        lock(&self.met).push(ClientRecord {
            at: self.clock.now(),
            origin,
            client_id: client_id.to_owned(),
            name: client.name.clone(),
            redirect_uris: client.redirect_uris.clone(),
            authentication: client.authentication.name(),
        });
    }

    /// What the origins begin with where they are not public ones.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https://" } else { "http://" }
    }

    /// Forgets all clients but those of the plan and of the developer portal.
    pub(crate) fn forget_clients(&self) {
        let tenants = lock(&self.tenants);
        let planned = static_clients(&self.plan);
        let mut clients = lock(&self.clients);
        clients.retain(|id, _| tenants.has_client(id));
        clients.extend(planned);
    }

    /// Resets all connections, forgets all sessions, and listens to nobody for a while.
    pub(crate) fn restart(&self, down: Duration) {
        self.sessions.forget();
        self.restarts.send_replace(Restart { down });
    }

    /// Tells every client that can hear it.
    pub(crate) fn announce(&self, change: &Change) {
        self.sessions.announce(change);
        self.listeners.announce(None, change);
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

/// The hosts that a certificate is for.
fn hosts(plan: &Plan, origins: [&String; 2]) -> Vec<String> {
    let bound = [plan.gateway_address, plan.web_address].map(|it| format!("http://{it}"));
    let loopback = ["http://localhost", "http://127.0.0.1", "http://[::1]"].map(str::to_owned);
    let all = origins.into_iter().chain(&bound).chain(&loopback);
    let mut hosts: Vec<String> = all.filter_map(|it| tls::host(it)).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn static_clients(plan: &Plan) -> HashMap<String, Client> {
    plan.clients.iter().map(|it| (it.client_id.clone(), it.into())).collect()
}

/// Enough for every test; the counts go on.
const MAX_RUNS: usize = 100_000;

/// Locks. After a panic elsewhere a mock still has more use running than dead.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
