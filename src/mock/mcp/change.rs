//! What clients can be told about without asking.

use serde_json::{Value, json};

use super::jsonrpc::notification;
use super::methods::Caller;
use crate::mock::state::lock;

/// Something that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of prompts.
    Prompts,
    /// A resource, by its URI.
    Resource(String),
    /// The list of resources.
    Resources,
    /// The list of tools.
    Tools,
}

impl Change {
    /// The notification, with `_meta` where there is some.
    pub(crate) fn notification(&self, meta: Option<Value>) -> String {
        let (method, mut params) = match self {
            Self::Prompts => ("notifications/prompts/list_changed", json!({})),
            Self::Resource(uri) => ("notifications/resources/updated", json!({"uri": uri})),
            Self::Resources => ("notifications/resources/list_changed", json!({})),
            Self::Tools => ("notifications/tools/list_changed", json!({})),
        };
        if let (Some(meta), Some(members)) = (meta, params.as_object_mut()) {
            members.insert("_meta".into(), meta);
        }
        notification(method, &params.to_string())
    }
}

impl Caller {
    /// Tells the caller, or (2026-07-28) everybody who listens. Whether there was anybody to tell.
    pub(crate) fn announce(&self, change: &Change) -> bool {
        if self.claims.is_some() {
            return self.mock.listeners.announce(Some(&self.session.org), change);
        }
        let stream = lock(&self.session.stream).clone();
        if let Some(outlet) = &stream {
            outlet.message(&change.notification(None));
        }
        stream.is_some()
    }
}
