//! Starting and stopping, and what a test may ask or change meanwhile.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::plan::Plan;
use super::state::{LoggedRequest, State};
use super::{oauth, sse, streamable, web};

/// A running mock gateway; dropping it stops it and closes every connection.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts a gateway; both its ports are bound when this returns.
    pub fn start(plan: Plan) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (gateway, web) = runtime.block_on(async {
            Ok::<_, io::Error>((
                TcpListener::bind((plan.bind, plan.port)).await?,
                TcpListener::bind((plan.bind, plan.web_port)).await?,
            ))
        })?;
        let base = format!("http://{}", gateway.local_addr()?);
        let web_base = format!("http://{}", web.local_addr()?);
        let state = Arc::new(State::new(plan, base, web_base));
        let (stop, stopped) = oneshot::channel();
        let (gateway_routes, web_routes) = (gateway_routes(&state), web_routes(&state));
        let thread = thread::Builder::new().name("mock-gateway".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::spawn(async { axum::serve(gateway, gateway_routes).await });
                tokio::spawn(async { axum::serve(web, web_routes).await });
                // Either way it is over: asked for, or the handle is gone.
                stopped.await.ok();
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { state, stop: Some(stop), thread: Some(thread) })
    }

    /// The gateway's origin, which is also its issuer.
    pub fn base_url(&self) -> &str {
        &self.state.base
    }

    /// The web host's origin.
    pub fn web_url(&self) -> &str {
        &self.state.web
    }

    /// The HTTP+SSE endpoint of an organisation.
    pub fn sse_url(&self, org: &str) -> String {
        self.state.endpoint(org, "/sse")
    }

    /// The Streamable HTTP endpoint of an organisation.
    pub fn http_url(&self, org: &str) -> String {
        self.state.endpoint(org, "")
    }

    /// The API key of an organisation.
    pub fn api_key(&self, org: &str) -> Option<&str> {
        self.state.keys.get(org).map(String::as_str)
    }

    /// The organisations.
    pub fn organisations(&self) -> &[String] {
        &self.state.plan.organisations
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state.lock().log.clone()
    }

    /// Refuses every access token that was issued so far.
    pub fn expire_access_tokens(&self) {
        let mut inner = self.state.lock();
        inner.expired_up_to = inner.access_tokens;
    }

    /// Refuses every refresh token that was issued so far.
    pub fn revoke_refresh_tokens(&self) {
        self.state.lock().refresh_tokens.clear();
    }

    /// Forgets every registered client.
    pub fn forget_clients(&self) {
        self.state.lock().clients.clear();
    }

    /// Forgets every MCP session; streams end.
    pub fn forget_sessions(&self) {
        self.state.lock().sessions.clear();
    }

    /// Moves the mock's clock.
    pub fn advance(&self, by: Duration) {
        self.state.lock().ahead += by;
    }

    /// Answers the next `n` token requests with this status.
    pub fn refuse_token_requests(&self, n: u32, status: u16) {
        self.state.lock().refuse_tokens = Some((n, status));
    }

    /// How often a tool ran.
    pub fn calls(&self, tool: &str) -> u64 {
        self.state.lock().calls.get(tool).copied().unwrap_or(0)
    }

    /// How often a refresh token was presented that had been used before.
    pub fn refresh_reuses(&self) -> u64 {
        self.state.lock().reuses
    }

    /// Every key, code and token that was ever issued.
    pub fn issued_secrets(&self) -> Vec<String> {
        self.state.lock().secrets.clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn gateway_routes(state: &Arc<State>) -> Router {
    let mut routes = Router::new()
        .route("/.well-known/oauth-protected-resource", get(oauth::resource_metadata))
        .route("/.well-known/oauth-protected-resource/{*path}", get(oauth::resource_metadata_at))
        .route("/.well-known/oauth-authorization-server", get(oauth::server_metadata))
        .route("/oauth/token", post(oauth::token))
        .route("/mcp/{org}/sse", get(sse::open))
        .route("/mcp/{org}/messages", post(sse::message))
        .route(
            "/mcp/{org}",
            post(streamable::message).get(streamable::listen).delete(streamable::end),
        );
    if !state.plan.old_release {
        routes = routes
            .route("/register", post(oauth::register))
            .route("/authorize", get(oauth::authorize))
            .route("/authorize/complete", get(oauth::complete));
    }
    finish(routes, state)
}

fn web_routes(state: &Arc<State>) -> Router {
    let routes = Router::new()
        .route("/oauth/consent", get(web::consent).post(web::decide))
        .route("/sign-in", post(web::sign_in));
    finish(routes, state)
}

fn finish(routes: Router<Arc<State>>, state: &Arc<State>) -> Router {
    routes
        .layer(middleware::from_fn_with_state(Arc::clone(state), guard))
        .with_state(Arc::clone(state))
}

/// What a handler wants the log to say of a request.
#[derive(Clone, Debug)]
pub(super) struct What(pub(super) String);

/// Refuses names that a foreign page could have made point here (DNS rebinding), and keeps the log.
async fn guard(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let admitted = is_for_us(&state, request.headers());
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let headers = request.headers().keys().map(ToString::to_string).collect();
    let response = if admitted {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "unknown Host or Origin").into_response()
    };
    let what = response.extensions().get::<What>().map(|what| what.0.clone());
    let status = response.status().as_u16();
    state.lock().log.push(LoggedRequest { method, path, status, what, headers });
    response
}

fn is_for_us(state: &State, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = [&state.base, &state.web].map(|url| url.trim_start_matches("http://"));
    let local = |host: &str| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        own.contains(&host) || matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    };
    let host = text("host").is_some_and(local);
    // A form that was posted from a page without a referrer names no origin.
    let origin = text("origin")
        .is_none_or(|origin| origin == "null" || origin.strip_prefix("http://").is_some_and(local));
    host && origin
}
