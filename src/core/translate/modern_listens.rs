//! The subscriptions of a host of 2026-07-28 to a legacy server: filters become
//! `resources/subscribe`, and what the server tells goes to every subscription that asked for it.

use std::collections::{BTreeMap, BTreeSet};

use super::legacy_listen::LISTS;
use super::modern_host::{ModernHost, Own};
use super::{Output, SUBSCRIPTION, notification, over, request, text};
use crate::core::jsonrpc::Id;
use crate::core::members::{Members, json, quoted};

/// How many subscriptions a host may have, and to how many resources.
const MAX_LISTENS: usize = 64;
const MAX_RESOURCES: usize = 1000;

/// The open subscriptions.
#[derive(Debug, Default)]
pub(super) struct Listens {
    open: Vec<Listen>,
    /// The resources that the server was told of, and whether it has agreed.
    resources: BTreeMap<String, bool>,
}

#[derive(Debug)]
struct Listen {
    id: Id,
    /// The notifications that it gets.
    lists: Vec<&'static str>,
    /// How those were asked for.
    asked: Vec<&'static str>,
    resources: BTreeSet<String>,
    acknowledged: bool,
}

impl Listens {
    pub(super) fn has(&self, id: &Id) -> bool {
        self.open.iter().any(|listen| listen.id == *id)
    }

    fn wants(&self, uri: &str) -> bool {
        self.open.iter().any(|listen| listen.resources.contains(uri))
    }
}

impl ModernHost {
    pub(super) fn listen(&mut self, id: Id, line: &bytes::Bytes, out: &mut Vec<Output>) {
        let message = Members::read(text(line)).unwrap_or_default();
        let params = message.object("params").unwrap_or_default();
        let filter = params.object("notifications").unwrap_or_default();
        let mut listen = Listen {
            id,
            lists: Vec::new(),
            asked: Vec::new(),
            resources: BTreeSet::new(),
            acknowledged: false,
        };
        for (what, asked, told) in LISTS {
            if filter.get(asked) == Some("true") && self.server.declares(what, Some("listChanged"))
            {
                listen.lists.push(told);
                listen.asked.push(asked);
            }
        }
        if self.server.declares("resources", Some("subscribe")) {
            let resources = filter.get("resourceSubscriptions").map(serde_json::from_str);
            listen.resources = resources.and_then(Result::ok).unwrap_or_default();
        }
        let resources = self.listens.resources.len() + listen.resources.len();
        if MAX_LISTENS <= self.listens.open.len() || MAX_RESOURCES < resources {
            let why = "too many subscriptions";
            return out.push(Output::ToHost(super::error(&listen.id, super::INVALID_PARAMS, why)));
        }
        for uri in &listen.resources {
            if !self.listens.resources.contains_key(uri) {
                self.listens.resources.insert(uri.clone(), false);
                let id = self.ids.next();
                let params = format!(r#"{{"uri":{}}}"#, quoted(uri));
                out.push(Output::ToServer(request(&id, "resources/subscribe", &params)));
                self.own.insert(id, Own::Subscribe(uri.clone()));
            }
        }
        self.listens.open.push(listen);
        self.acknowledge(out);
    }

    /// The server has agreed to tell of a resource, or has not.
    pub(super) fn subscribed(&mut self, uri: &str, good: bool, out: &mut Vec<Output>) {
        if good {
            self.listens.resources.insert(uri.to_owned(), true);
            if !self.listens.wants(uri) {
                self.unsubscribe(uri, out);
            }
        } else {
            self.listens.resources.remove(uri);
            for listen in &mut self.listens.open {
                listen.resources.remove(uri);
            }
        }
        self.acknowledge(out);
    }

    /// Tells the host of subscriptions that stand.
    fn acknowledge(&mut self, out: &mut Vec<Output>) {
        let agreed = &self.listens.resources;
        for listen in &mut self.listens.open {
            let stands = listen.resources.iter().all(|uri| agreed.get(uri) == Some(&true));
            if listen.acknowledged || !stands {
                continue;
            }
            listen.acknowledged = true;
            let mut filter = Members::default();
            for asked in &listen.asked {
                filter.set(asked, "true");
            }
            if !listen.resources.is_empty() {
                filter.set("resourceSubscriptions", json(&listen.resources));
            }
            let mut params = Members::default();
            params.set("notifications", filter.write());
            let method = "notifications/subscriptions/acknowledged";
            out.push(Output::ToHost(tagged(method, params, &listen.id)));
        }
    }

    /// A notification that subscriptions are there for; `false` if it is none.
    pub(super) fn listened(
        &self,
        method: &str,
        params: Option<&str>,
        out: &mut Vec<Output>,
    ) -> bool {
        let updated = method == "notifications/resources/updated";
        if !updated && !LISTS.iter().any(|(.., told)| *told == method) {
            return false;
        }
        for listen in self.listens.open.iter().filter(|listen| listen.acknowledged) {
            // What is part of a resource may be told under its own address.
            let wanted =
                if updated { !listen.resources.is_empty() } else { listen.lists.contains(&method) };
            if wanted {
                let params = params.and_then(Members::read).unwrap_or_default();
                out.push(Output::ToHost(tagged(method, params, &listen.id)));
            }
        }
        true
    }

    /// The host does not want a subscription any more.
    pub(super) fn end_listen(&mut self, id: &Id, out: &mut Vec<Output>) {
        let Some(at) = self.listens.open.iter().position(|listen| listen.id == *id) else { return };
        let listen = self.listens.open.remove(at);
        for uri in &listen.resources {
            // What is not agreed on yet is taken back when it is.
            if !self.listens.wants(uri) && self.listens.resources.get(uri) == Some(&true) {
                self.unsubscribe(uri, out);
            }
        }
    }

    fn unsubscribe(&mut self, uri: &str, out: &mut Vec<Output>) {
        self.listens.resources.remove(uri);
        let id = self.ids.next();
        let params = format!(r#"{{"uri":{}}}"#, quoted(uri));
        out.push(Output::ToServer(request(&id, "resources/unsubscribe", &params)));
        self.own.insert(id, Own::Unsubscribe);
    }

    /// All subscriptions end with the conversation.
    pub(super) fn end_listens(&mut self, out: &mut Vec<Output>) {
        for listen in std::mem::take(&mut self.listens.open) {
            out.extend(over(&listen.id).map(Output::ToHost));
        }
    }
}

/// A notification of this subscription.
fn tagged(method: &str, mut params: Members<'_>, id: &Id) -> bytes::Bytes {
    let meta = params.get("_meta").unwrap_or("{}").to_owned();
    let mut meta = Members::read(&meta).unwrap_or_default();
    meta.set(SUBSCRIPTION, id.to_json());
    params.set("_meta", meta.write());
    notification(method, Some(&params.write()))
}
