//! The live view: a page that draws the request log as a sequence diagram while it grows.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::fault;
use super::oauth::Form;
use super::state::Mock;
use super::web::{STYLE, headers, source};

/// `GET /__mock/live`: the page, without anything in it. It asks for the rest with the token.
pub(crate) async fn page() -> Response {
    let style = format!("{STYLE}{LIVE_STYLE}");
    let content = format!(
        "style-src {}; script-src {}; connect-src 'self'; form-action 'none'; \
         require-trusted-types-for 'script'",
        source(&style),
        source(SCRIPT),
    );
    let html = PAGE.replace("{{ style }}", &style).replace("{{ script }}", SCRIPT);
    (headers(&content), Html(html)).into_response()
}

/// `GET /__mock/about`: what clients may connect to, and what can go wrong.
pub(crate) async fn about(State(mock): State<Arc<Mock>>) -> Json<Value> {
    let endpoints: Map<String, Value> = mock
        .plan
        .organisations
        .iter()
        .map(|org| (org.clone(), json!({"sse": mock.sse_url(org), "http": mock.http_url(org)})))
        .collect();
    Json(json!({"web": mock.web_url, "endpoints": endpoints, "faults": fault::known()}))
}

/// `GET /__mock/watch`: what is in the log. With `?since=REVISION`: what is new since then, as soon
/// as there is something, or after a while without.
pub(crate) async fn watch(State(mock): State<Arc<Mock>>, RawQuery(query): RawQuery) -> Json<Value> {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let since = form.get("since").and_then(|it| it.parse().ok());
    if let Some(since) = since
        && tokio::time::timeout(PATIENCE, mock.log.changed(since)).await.is_ok()
    {
        // What comes together is told together.
        tokio::time::sleep(GATHER).await;
    }
    Json(json!({
        "news": mock.log.news(since.unwrap_or(0), MOST),
        "faults": mock.faults.list(),
        "now": mock.clock.now().as_secs_f64(),
    }))
}

/// Shorter than the time after which anything between here and the browser loses patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// Too short for an eye.
const GATHER: Duration = Duration::from_millis(60);

/// As many as the page shows.
const MOST: usize = 500;

const PAGE: &str = include_str!("page.html");
const LIVE_STYLE: &str = include_str!("live.css");
const SCRIPT: &str = include_str!("live.js");
