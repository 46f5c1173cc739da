//! Settings → Organisation: slug, endpoints, limits.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};

use super::{Shown, Visitor, actor, see, visitor};
use crate::mock::network::Network;
use crate::mock::oauth::Form;
use crate::mock::state::{Mock, lock};

/// Where the page is.
pub(super) const PATH: &str = "/organisation";

/// `GET /organisation`.
pub(super) async fn show(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let visitor = visitor(&mock, &headers, PATH, query.as_deref())?;
    Ok(page(&mock, &visitor, StatusCode::OK, context! {}))
}

/// `POST /organisation`: the limits.
pub(super) async fn change(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    let (visitor, form) = actor(&mock, &headers, &body, PATH)?;
    Ok(match limits(&form) {
        Ok((allowed, rate_limit)) => {
            if let Some(tenant) = lock(&mock.tenants).get_mut(visitor.org()) {
                (tenant.allowed, tenant.rate_limit) = (allowed, rate_limit);
            }
            see(PATH, "saved")
        }
        Err(problem) => {
            let typed = context! {
                problem,
                allowed => form.get("allowed").unwrap_or_default(),
                rate_limit => form.get("rate_limit").unwrap_or_default(),
            };
            page(&mock, &visitor, StatusCode::BAD_REQUEST, typed)
        }
    })
}

fn limits(form: &Form) -> Result<(Vec<Network>, Option<u32>), String> {
    let allowed = form.get("allowed").unwrap_or_default();
    let allowed: Vec<Network> =
        allowed.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let rate_limit = form.get("rate_limit").map(|it| {
        let number = it.parse().ok().filter(|it| *it != 0);
        number.ok_or(format!("`{it}` is not a number of requests"))
    });
    Ok((allowed, rate_limit.transpose()?))
}

fn page(mock: &Mock, visitor: &Visitor, status: StatusCode, typed: Value) -> Response {
    let org = visitor.org();
    let kept = match lock(&mock.tenants).get(org) {
        Some(tenant) => {
            let lines: Vec<String> = tenant.allowed.iter().map(ToString::to_string).collect();
            context! { allowed => lines.join("\n"), rate_limit => tenant.rate_limit }
        }
        None => context! {},
    };
    let endpoints = [
        ("HTTP+SSE", "The one to paste into Claude", mock.sse_url(org)),
        ("Streamable HTTP", "For newer clients", mock.http_url(org)),
        ("Issuer", "The authorization server of both", mock.issuer.clone()),
    ];
    let values = context! { endpoints, ..context! { ..typed, ..kept } };
    visitor.show_with(mock, status, "organisation.html", "Organisation", values)
}
