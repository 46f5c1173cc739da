//! What the host has set in a session besides the handshake: the log level and its subscriptions.
//! A new session begins without them, so they are set again behind the host's back.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Bridge, Kind, Outgoing};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How many subscriptions are kept: many times what any host was seen to have.
const MAX_SUBSCRIPTIONS: usize = 1024;
/// Longer parameters are not kept; they hold an address or a level.
const MAX_PARAMS: usize = 8 << 10;

/// What a request sets for the rest of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    /// With these parameters.
    Level(Box<str>),
    /// To this resource, with these parameters.
    Subscribed(String, Box<str>),
    Unsubscribed(String),
}

#[derive(Deserialize)]
struct Resource {
    uri: String,
}

impl Lasting {
    /// What a request sets, if the server agrees.
    pub(super) fn of(method: &str, params: Option<&RawValue>) -> Option<Self> {
        if !matches!(method, "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe") {
            return None;
        }
        let text = params.map(RawValue::get).filter(|text| text.len() <= MAX_PARAMS)?;
        let uri = || serde_json::from_str::<Resource>(text).map(|resource| resource.uri).ok();
        match method {
            "logging/setLevel" => Some(Self::Level(text.into())),
            "resources/subscribe" => Some(Self::Subscribed(uri()?, text.into())),
            _ => uri().map(Self::Unsubscribed),
        }
    }
}

/// What has been set, and what of it is to be set again.
#[derive(Debug, Default)]
pub(super) struct Restore {
    level: Option<Box<str>>,
    /// By the address of the resource.
    subscriptions: BTreeMap<String, Box<str>>,
    pub(super) due: VecDeque<Outgoing>,
}

impl Bridge {
    /// The server has agreed to what a request sets.
    pub(super) fn has_set(&mut self, lasting: Lasting, out: &mut Outbox<'_>) {
        match lasting {
            Lasting::Level(params) => self.restore.level = Some(params),
            Lasting::Unsubscribed(uri) => {
                self.restore.subscriptions.remove(&uri);
            }
            Lasting::Subscribed(uri, params) => {
                if MAX_SUBSCRIPTIONS <= self.restore.subscriptions.len()
                    && !self.restore.subscriptions.contains_key(&uri)
                {
                    out.detail("too many subscriptions: this one ends with the session");
                    return;
                }
                self.restore.subscriptions.insert(uri, params);
            }
        }
    }

    /// A session has begun behind the host's back: sets everything again, before the host's next
    /// message. Nobody waits for the answers.
    pub(super) fn set_again(&mut self, now: Moment) {
        let level = self.restore.level.iter().map(|params| ("logging/setLevel", params));
        let subscriptions = self.restore.subscriptions.values();
        let subscriptions = subscriptions.map(|params| ("resources/subscribe", params));
        let handshake = &mut self.handshake;
        self.restore.due = level
            .chain(subscriptions)
            .map(|(method, params)| own_request(handshake.own_id(), method, params, now))
            .collect();
    }
}

/// A request of our own.
pub(super) fn own_request(
    id: crate::core::jsonrpc::Id,
    method: &str,
    params: &str,
    now: Moment,
) -> Outgoing {
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":{},"method":"{method}","params":{params}}}"#,
        id.to_json()
    );
    Outgoing::new(text.into(), Kind::Own(id), now)
}
