//! Security → Audit log: who has called which tool. It is read out of the request log.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use http::HeaderMap;
use minijinja::{Value, context};

use super::{Shown, date, visitor};
use crate::mock::log::LoggedRequest;
use crate::mock::state::Mock;

/// Where the page is.
pub(super) const PATH: &str = "/audit";

/// `GET /audit`: the newest calls first.
pub(super) async fn show(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let visitor = visitor(&mock, &headers, PATH, query.as_deref())?;
    let requests = mock.log.requests();
    let of_org = requests.iter().filter(|it| it.path.split('/').nth(2) == Some(visitor.org()));
    let mut calls: Vec<Value> = of_org.rev().flat_map(calls).take(MOST + 1).collect();
    let more = calls.len() > MOST;
    calls.truncate(MOST);
    Ok(visitor.show(&mock, "audit.html", "Audit log", context! { calls, more, most => MOST }))
}

fn calls(request: &LoggedRequest) -> impl Iterator<Item = Value> {
    let outcome = match request.status {
        Some(status) if status < 300 => ("ok", "Allowed".to_owned()),
        Some(status) => ("refused", format!("Refused ({status})")),
        None => ("open", "No answer yet".to_owned()),
    };
    request.messages.iter().filter_map(move |message| {
        let tool = message.tool.as_deref()?;
        Some(context! {
            at => date(request.at),
            tool,
            caller => &request.caller,
            client => &request.client_id,
            outcome => outcome.0,
            outcome_text => &outcome.1,
        })
    })
}

/// As many as somebody reads.
const MOST: usize = 200;
