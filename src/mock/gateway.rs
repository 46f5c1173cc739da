//! Starting, steering and stopping a gateway.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use url::Url;

use super::evidence::{ClientRecord, RefreshTokenRecord, ToolRun};
use super::fault::{Fault, FaultOrder};
use super::log::{LoggedRequest, Site};
use super::mcp::Change;
use super::plan::Plan;
use super::state::{Mock, lock};
use super::{control, guard, limits, mcp, oauth, serve, web};

/// A running mock gateway. Stops when dropped, with all its connections.
#[derive(Debug)]
pub struct Gateway {
    mock: Arc<Mock>,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Binds both listeners and serves them on a thread of its own; both accept connections when
    /// this returns. May be called from anywhere, also inside an asynchronous runtime.
    pub fn start(plan: Plan) -> io::Result<Self> {
        check(&plan)?;
        let scheme = if plan.tls { "https" } else { "http" };
        let (gateway_listener, base_url) = bind(scheme, plan.gateway_address)?;
        let (web_listener, web_url) = bind(scheme, plan.web_address)?;
        let base_url = plan.public_gateway_url.clone().unwrap_or(base_url);
        let web_url = plan.public_web_url.clone().unwrap_or(web_url);
        let mock = Arc::new(Mock::new(plan, base_url, web_url)?);
        let gateway = oauth::routes(&mock)
            .merge(mcp::routes().route_layer(from_fn_with_state(Arc::clone(&mock), limits::gate)))
            .layer(from_fn_with_state(Arc::clone(&mock), guard::gateway))
            .merge(control::routes(&mock))
            .with_state(Arc::clone(&mock));
        let web = web::routes()
            .layer(from_fn_with_state(Arc::clone(&mock), guard::web))
            .with_state(Arc::clone(&mock));
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = mpsc::channel();
        let sites = [(gateway_listener, gateway), (web_listener, web)];
        let thread = std::thread::Builder::new().name("mock-gateway".into()).spawn({
            let mock = Arc::clone(&mock);
            move || run(&mock, sites, started, stopped)
        })?;
        let gateway = Self { mock, stop: Some(stop), thread: Some(thread) };
        starts.recv().map_err(io::Error::other)??;
        Ok(gateway)
    }

    /// The URL that people paste: HTTP+SSE, `…/mcp/<org>/sse`.
    pub fn sse_url(&self, org: &str) -> String {
        self.mock.sse_url(org)
    }

    /// The Streamable HTTP endpoint, `…/mcp/<org>`.
    pub fn http_url(&self, org: &str) -> String {
        self.mock.http_url(org)
    }

    /// The origin of the gateway, which is also the issuer unless the plan gives that a path. No slash at the end.
    pub fn base_url(&self) -> &str {
        &self.mock.base_url
    }

    /// The issuer of tokens: the origin, and the path of the plan.
    pub fn issuer(&self) -> &str {
        &self.mock.issuer
    }

    /// The origin of the sign-in and consent pages. No slash at the end.
    pub fn web_url(&self) -> &str {
        &self.mock.web_url
    }

    /// An API key of the organisation, when the plan has one.
    pub fn api_key(&self, org: &str) -> Option<&str> {
        self.mock.plan.api_keys.iter().find(|it| it.org == org).map(|it| it.key.as_str())
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.mock.log.requests()
    }

    /// How often a tool was executed.
    pub fn calls(&self, tool: &str) -> u64 {
        lock(&self.mock.calls).get(tool).copied().unwrap_or_default()
    }

    /// Every tool that ran, in order, as far as they are kept: the last 100,000.
    pub fn tool_runs(&self) -> Vec<ToolRun> {
        lock(&self.mock.runs).iter().cloned().collect()
    }

    /// Every client that the gateway came to know, in order, also those that it has forgotten.
    pub fn clients(&self) -> Vec<ClientRecord> {
        lock(&self.mock.met).clone()
    }

    /// Every refresh token, in the order of issue.
    pub fn refresh_tokens(&self) -> Vec<RefreshTokenRecord> {
        lock(&self.mock.grants).records()
    }

    /// The certificate of the authority behind HTTPS, as PEM, when the plan has it.
    pub fn ca_certificate(&self) -> Option<&str> {
        self.mock.tls.as_ref().map(|it| it.authority.as_str())
    }

    /// Where the gateway is steered from outside: `…/__mock`.
    pub fn control_url(&self) -> String {
        format!("{}/__mock", self.mock.base_url)
    }

    /// The page that shows the request log while it grows, with what opens it.
    pub fn live_url(&self) -> String {
        format!("{}/__mock/live#{}", self.mock.base_url, self.mock.control_token)
    }

    /// The bearer token that opens it.
    pub fn control_token(&self) -> &str {
        &self.mock.control_token
    }

    /// How often a refresh token was presented that had been used before.
    pub fn refresh_reuses(&self) -> u64 {
        lock(&self.mock.grants).reuses()
    }

    /// Every token, code and key ever issued, for tests that search outputs for them.
    pub fn issued_secrets(&self) -> Vec<String> {
        self.mock.secrets()
    }

    /// The number of streams that clients hold open.
    pub fn open_streams(&self) -> usize {
        self.mock.streams.open()
    }

    /// From now on all access tokens issued so far get 401 `invalid_token`.
    pub fn expire_access_tokens(&self) {
        lock(&self.mock.grants).expire_access_tokens();
    }

    /// From now on all refresh tokens issued so far get `invalid_grant`.
    pub fn revoke_refresh_tokens(&self) {
        lock(&self.mock.grants).revoke_all();
    }

    /// Forgets all clients that registered themselves, and what was granted to them: `invalid_client`.
    pub fn forget_clients(&self) {
        self.mock.forget_clients();
        lock(&self.mock.grants).revoke_all();
    }

    /// Closes every open stream abruptly.
    pub fn drop_streams(&self) {
        self.mock.streams.cut_all();
    }

    /// Tells every client that has a stream for it, or has subscribed to it, of a change.
    pub fn announce(&self, change: &Change) {
        self.mock.announce(change);
    }

    /// Ends all subscriptions (2026-07-28) in order, with their result.
    pub fn end_subscriptions(&self) {
        self.mock.listeners.end();
    }

    /// Forgets all MCP sessions, of both transports: 404.
    pub fn forget_sessions(&self) {
        self.mock.sessions.forget();
    }

    /// Moves the gateway's clock forward.
    pub fn advance(&self, by: Duration) {
        self.mock.clock.advance(by);
    }

    /// Lets the next `times` matching requests go wrong.
    pub fn inject(&self, fault: Fault, times: u32) {
        self.mock.faults.order(FaultOrder::times(fault, times));
    }

    /// Orders a fault as text: `NAME[=ARGUMENT][@ROUTE][#N or #N-M][%P]`.
    pub fn order(&self, fault: &str) -> Result<(), String> {
        self.mock.faults.order(fault.parse()?);
        Ok(())
    }

    /// Takes orders of the program, and tells on stderr when they strike.
    pub(crate) fn order_all(&self, faults: Vec<FaultOrder>) {
        self.mock.faults.tell();
        for it in faults {
            self.mock.faults.order(it);
        }
    }

    /// Forgets all faults that were ordered.
    pub fn clear_faults(&self) {
        self.mock.faults.clear();
    }

    /// Resets all connections, forgets all MCP sessions, and listens to nobody for a while.
    pub fn restart(&self, down: Duration) {
        self.mock.restart(down);
    }

    /// Answers the next `times` token requests with `status`.
    pub fn refuse_token_requests(&self, times: u32, status: u16) {
        self.inject(Fault::TokenStatus(status), times);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            thread.join().ok();
        }
    }
}

/// Serves until `stopped` resolves. The connections end with the runtime.
///
/// The runtime begins and ends on this thread: one that is dropped inside another panics.
fn run(
    mock: &Arc<Mock>,
    sites: [(TcpListener, Router); 2],
    started: mpsc::Sender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            started.send(Err(error)).ok();
            return;
        }
    };
    runtime.block_on(async {
        for (site, (listener, router)) in [Site::Gateway, Site::Web].into_iter().zip(sites) {
            tokio::spawn(serve::serve(Arc::clone(mock), site, listener, router));
        }
        started.send(Ok(())).ok();
        stopped.await.ok();
    });
}

fn bind(scheme: &str, address: SocketAddr) -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    listener.set_nonblocking(true)?;
    let mut named = listener.local_addr()?;
    // Nobody can connect to the unspecified address: name the one that always works.
    if named.ip().is_unspecified() {
        named.set_ip(match named.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok((listener, format!("{scheme}://{named}")))
}

fn check(plan: &Plan) -> io::Result<()> {
    let invalid = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    if plan.organisations.is_empty() {
        return invalid("a gateway needs at least one organisation".into());
    }
    let is_slug = |org: &String| {
        !org.is_empty() && org.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
    };
    if let Some(org) = plan.organisations.iter().find(|org| !is_slug(org)) {
        return invalid(format!("`{org}` is not the slug of an organisation"));
    }
    let path = &plan.issuer_path;
    if !path.is_empty()
        && (!path.starts_with('/') || path.ends_with('/') || path.contains(['{', '*', '?', '#']))
    {
        return invalid(format!("`{path}` is not the path of an issuer such as `/tenant`"));
    }
    let is_origin = |it: &&String| {
        Url::parse(it).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == **it
        })
    };
    let mut public = plan.public_gateway_url.iter().chain(&plan.public_web_url);
    match public.find(|it| !is_origin(it)) {
        Some(url) => invalid(format!("`{url}` is not an origin such as https://mcp.example.com")),
        None => Ok(()),
    }
}
