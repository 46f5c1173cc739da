//! What every request passes first: the log, the check against DNS rebinding, and ordered faults.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{StatusCode, header};

use super::fault::Route;
use super::log::{Site, answer_headers};
use super::state::Mock;
use super::strike;
use super::wire::Scissors;

/// The gate of the gateway's origin.
pub(crate) async fn gateway(mock: State<Arc<Mock>>, request: Request, next: Next) -> Response {
    pass(mock.0, Site::Gateway, request, next).await
}

/// The gate of the web origin.
pub(crate) async fn web(mock: State<Arc<Mock>>, request: Request, next: Next) -> Response {
    pass(mock.0, Site::Web, request, next).await
}

async fn pass(mock: Arc<Mock>, site: Site, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let note = mock.log.enter(site, &parts, mock.clock.now());
    let route = match site {
        Site::Gateway => Route::of(&parts.method, parts.uri.path()),
        Site::Web => Route::Page,
    };
    let line = parts.extensions.get::<Scissors>().cloned().unwrap_or_default();
    line.fresh();
    let work = async {
        if let Some(reason) = refusal(&mock, &parts) {
            return (StatusCode::FORBIDDEN, reason).into_response();
        }
        if let Some(early) = strike::before(&mock, route, &parts, &line).await {
            return early;
        }
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(note.clone());
        strike::after(&mock, route, next.run(request).await).await
    };
    let response = note.cover(work).await;
    note.add(|entry| {
        entry.status = Some(response.status().as_u16());
        entry.answered = Some(mock.clock.now());
        entry.answer = answer_headers(response.headers());
    });
    response
}

/// A page of a foreign site that had its name resolved to this machine can send requests here; it
/// cannot hide the name that it believes to talk to, nor where it comes from.
pub(crate) fn refusal(mock: &Mock, parts: &Parts) -> Option<&'static str> {
    let host = match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(header::HOST).and_then(|it| it.to_str().ok()),
    };
    if !host.is_some_and(|host| is_own_host(mock, host)) {
        return Some("this host name is not served here\n");
    }
    let origin = parts.headers.get(header::ORIGIN)?;
    let sites = [&mock.base_url, &mock.web_url];
    let own = |it: &str| {
        sites.iter().any(|own| *own == it)
            || it.strip_prefix(mock.scheme()).is_some_and(|authority| {
                is_own_host(mock, authority)
                    && sites.iter().any(|own| port(own).is_some() && port(own) == port(authority))
            })
    };
    if origin.to_str().is_ok_and(own) {
        None
    } else {
        Some("requests of this origin are refused\n")
    }
}

fn is_own_host(mock: &Mock, authority: &str) -> bool {
    let public = [&mock.base_url, &mock.web_url];
    if public.iter().any(|it| it.split("://").nth(1) == Some(authority)) {
        return true;
    }
    let host = match authority.rsplit_once(':') {
        Some((host, digits)) if digits.bytes().all(|it| it.is_ascii_digit()) => host,
        _ => authority,
    };
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let literal = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let bound = [mock.plan.gateway_address.ip(), mock.plan.web_address.ip()];
    // Who listens on every address has all of this machine's, which are not asked for here: only
    // names can be made to point elsewhere, addresses cannot.
    literal
        .parse::<IpAddr>()
        .is_ok_and(|ip| ip.is_loopback() || bound.iter().any(|it| *it == ip || it.is_unspecified()))
}

fn port(authority: &str) -> Option<&str> {
    authority.rsplit_once(':').map(|(_, port)| port)
}
