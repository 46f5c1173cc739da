//! `subscriptions/listen`: streams for what belongs to no other request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::mock::fault::{Fault, ListenFlaw, Route};
use crate::mock::mcp::change::Change;
use crate::mock::mcp::jsonrpc::{RpcError, answer, notification};
use crate::mock::mcp::methods::{arguments, server_info};
use crate::mock::mcp::stream::Outlet;
use crate::mock::mcp::style::Style;
use crate::mock::state::{Mock, lock};

/// Everybody who listens.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Mutex<Vec<Listener>>,
    n_begun: AtomicU64,
}

/// One open subscription. Its stream ends in order when this is dropped.
#[derive(Debug)]
struct Listener {
    number: u64,
    org: String,
    /// The id of the request that opened it.
    id: Box<RawValue>,
    filter: Filter,
    outlet: Outlet,
    flaw: Option<ListenFlaw>,
}

/// What a client wants to hear of.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prompts_list_changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    resources_list_changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tools_list_changed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_subscriptions: Vec<String>,
}

impl Filter {
    fn covers(&self, change: &Change) -> bool {
        match change {
            Change::Prompts => self.prompts_list_changed,
            Change::Resource(uri) => self.resource_subscriptions.contains(uri),
            Change::Resources => self.resources_list_changed,
            Change::Tools => self.tools_list_changed,
        }
    }
}

impl Listeners {
    /// Tells everybody who wants to hear of it: of one organisation, or of all. Whether there was
    /// somebody.
    pub(crate) fn announce(&self, org: Option<&str>, change: &Change) -> bool {
        let open = lock(&self.open);
        let hears = |it: &&Listener| org.is_none_or(|org| it.org == org) && it.hears(change);
        open.iter().filter(hears).map(|it| it.tell(change)).count() != 0
    }

    /// Ends all subscriptions in order, as a server does that shuts down.
    pub(crate) fn end(&self) {
        for listener in lock(&self.open).drain(..) {
            listener.end();
        }
    }

    fn end_one(&self, number: u64) {
        let mut open = lock(&self.open);
        if let Some(at) = open.iter().position(|it| it.number == number) {
            open.swap_remove(at).end();
        }
    }

    fn forget(&self, number: u64) {
        lock(&self.open).retain(|it| it.number != number);
    }
}

impl Listener {
    fn hears(&self, change: &Change) -> bool {
        self.filter.covers(change) || self.flaw == Some(ListenFlaw::Unasked)
    }

    fn tell(&self, change: &Change) {
        self.outlet.message(&change.notification(self.tag()));
    }

    fn tag(&self) -> Option<Value> {
        match self.flaw {
            Some(ListenFlaw::Untagged) => None,
            Some(ListenFlaw::WrongTag) => Some(json!({SUBSCRIPTION_ID: "nobody-listens"})),
            _ => Some(json!({SUBSCRIPTION_ID: self.id})),
        }
    }

    fn acknowledge(&self) {
        let mut params = json!({"notifications": self.filter});
        if let (Some(tag), Some(params)) = (self.tag(), params.as_object_mut()) {
            params.insert("_meta".into(), tag);
        }
        let method = "notifications/subscriptions/acknowledged";
        self.outlet.message(&notification(method, &params.to_string()));
    }

    fn end(self) {
        let mut meta = self.tag().unwrap_or_else(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("io.modelcontextprotocol/serverInfo".into(), server_info());
        }
        let result = json!({"resultType": "complete", "_meta": meta}).to_string();
        self.outlet.message(&answer(&self.id, &result));
    }
}

/// Opens a subscription. It lasts until either side closes the stream.
pub(super) fn open(
    mock: &Arc<Mock>,
    org: &str,
    id: &RawValue,
    params: Option<&RawValue>,
) -> Result<Response, RpcError> {
    #[derive(Deserialize)]
    struct Listen {
        notifications: Filter,
    }
    let Listen { notifications: filter } = arguments(params)?;
    let flaw = mock.faults.take(Route::Http, |fault| match fault {
        Fault::Listen(flaw) => Some(*flaw),
        _ => None,
    });
    if flaw == Some(ListenFlaw::Unknown) {
        return Err(RpcError::no_method("subscriptions/listen"));
    }
    let number = mock.listeners.n_begun.fetch_add(1, Ordering::Relaxed);
    let closed = {
        let mock = Arc::clone(mock);
        move || mock.listeners.forget(number)
    };
    let style = Style::draw(mock, Route::Http);
    let (outlet, response) = mock.streams.start(style, "", closed);
    let (org, id) = (org.to_owned(), id.to_owned());
    let listener = Listener { number, org, id, filter, outlet, flaw };
    if flaw == Some(ListenFlaw::Early) {
        listener.tell(&Change::Tools);
    }
    if flaw != Some(ListenFlaw::NoAcknowledgement) {
        listener.acknowledge();
    }
    lock(&mock.listeners.open).push(listener);
    if let Some(wait) = mock.faults.take(Route::Http, |fault| match fault {
        Fault::ListenEnd(wait) => Some(*wait),
        _ => None,
    }) {
        tokio::spawn(end_later(Arc::clone(mock), number, wait));
    }
    Ok(response)
}

async fn end_later(mock: Arc<Mock>, number: u64, wait: Duration) {
    tokio::time::sleep(wait).await;
    mock.listeners.end_one(number);
}

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
