//! The one subscription that carries what a host up to 2025-11-25 gets unasked: changed lists, and
//! the resources that it has subscribed to (MCP 2026-07-28, subscriptions).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::legacy_host::{LegacyHost, renamed};
use super::{
    INVALID_PARAMS, METHOD_NOT_FOUND, Output, SUBSCRIPTION, cancelled, error, notification,
    request, result, text,
};
use crate::core::backoff::Backoff;
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::members::{Members, json, quoted};
use crate::core::time::Moment;

/// How many resources one host may subscribe to: each is sent again with every change.
const MAX_RESOURCES: usize = 1000;

/// The lists that may change: where that is declared, how it is asked for, how it is told.
pub(super) const LISTS: [(&str, &str, &str); 3] = [
    ("tools", "toolsListChanged", "notifications/tools/list_changed"),
    ("prompts", "promptsListChanged", "notifications/prompts/list_changed"),
    ("resources", "resourcesListChanged", "notifications/resources/list_changed"),
];

/// What is subscribed to, and on which stream.
#[derive(Debug)]
pub(super) struct Listen {
    /// The lists whose changes the server tells.
    lists: Vec<(&'static str, &'static str)>,
    has_resources: bool,
    resources: BTreeSet<String>,
    /// The subscription that is acknowledged.
    current: Option<Id>,
    /// The one that is to take its place.
    next: Option<Id>,
    /// The host's `resources/subscribe`s that wait for it.
    owed: Vec<(Id, String)>,
    /// Whether something may have been missed.
    gap: bool,
    retry: Option<Duration>,
    backoff: Backoff,
}

impl Listen {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            lists: Vec::new(),
            has_resources: false,
            resources: BTreeSet::new(),
            current: None,
            next: None,
            owed: Vec::new(),
            gap: false,
            retry: None,
            backoff: Backoff::new(seed.rotate_left(31)),
        }
    }

    /// What the server has in its `DiscoverResult`.
    pub(super) fn offer(&mut self, discovered: &Members<'_>) {
        let capabilities = discovered.object("capabilities").unwrap_or_default();
        let declares = |what: &str, member: &str| {
            let declared = capabilities.object(what);
            declared.is_some_and(|declared| declared.get(member) == Some("true"))
        };
        let told = LISTS.iter().filter(|(what, ..)| declares(what, "listChanged"));
        self.lists = told.map(|(_, asked, told)| (*asked, *told)).collect();
        self.has_resources = declares("resources", "subscribe");
    }

    pub(super) fn is_one(&self, id: &Id) -> bool {
        self.current.as_ref() == Some(id) || self.next.as_ref() == Some(id)
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.retry
    }

    fn filter(&self) -> Option<String> {
        let mut filter = Members::default();
        for (asked, _) in &self.lists {
            filter.set(asked, "true");
        }
        if !self.resources.is_empty() {
            filter.set("resourceSubscriptions", json(&self.resources));
        }
        (!filter.is_empty()).then(|| filter.write())
    }
}

impl LegacyHost {
    /// Opens the subscription, or puts another one in its place.
    pub(super) fn open_listen(&mut self, _: Moment, out: &mut Vec<Output>) {
        self.listen.retry = None;
        if let Some(next) = self.listen.next.take() {
            out.push(Output::ToServer(cancelled(&next)));
        }
        let Some(filter) = self.listen.filter() else {
            if let Some(current) = self.listen.current.take() {
                out.push(Output::ToServer(cancelled(&current)));
            }
            return;
        };
        let id = self.ids.next();
        let params = format!(r#"{{"notifications":{filter},"_meta":{}}}"#, self.meta(None));
        out.push(Output::ToServer(request(&id, "subscriptions/listen", &params)));
        self.listen.next = Some(id);
    }

    /// `resources/subscribe` or, without `add`, its opposite.
    pub(super) fn subscribe(
        &mut self,
        id: Id,
        line: &Bytes,
        add: bool,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        if !self.listen.has_resources {
            return out.push(Output::ToHost(error(&id, METHOD_NOT_FOUND, "Method not found")));
        }
        let uri = Members::read(text(line)).and_then(|it| it.object("params")?.string("uri"));
        let Some(uri) = uri else {
            return out.push(Output::ToHost(error(&id, INVALID_PARAMS, "`uri` is missing")));
        };
        if add && MAX_RESOURCES <= self.listen.resources.len() {
            return out.push(Output::ToHost(error(&id, INVALID_PARAMS, "too many subscriptions")));
        }
        let changes = if add {
            self.listen.resources.insert(uri.clone())
        } else {
            self.listen.resources.remove(&uri)
        };
        if changes && add {
            // What changes from here on must be told, so the answer waits until that is so.
            self.listen.owed.push((id, uri));
        } else {
            out.push(Output::ToHost(result(&id, "{}")));
        }
        if changes {
            self.open_listen(now, out);
        }
    }

    /// A notification of a subscription.
    pub(super) fn notified(
        &mut self,
        tag: &Id,
        method: &str,
        mut params: Members<'_>,
        out: &mut Vec<Output>,
    ) {
        if method == "notifications/subscriptions/acknowledged" {
            if self.listen.next.as_ref() == Some(tag) {
                self.acknowledged(params.object("notifications").as_ref(), out);
            }
            return;
        }
        let updated = method == "notifications/resources/updated";
        if self.listen.current.as_ref() != Some(tag)
            || (updated && self.listen.resources.is_empty())
        {
            return;
        }
        let meta = params.object("_meta").map(|mut meta| {
            meta.remove(SUBSCRIPTION);
            (!meta.is_empty()).then(|| meta.write())
        });
        match meta.flatten() {
            Some(meta) => params.set("_meta", meta),
            None => params.remove("_meta"),
        }
        let params = (!params.is_empty()).then(|| params.write());
        out.push(Output::ToHost(notification(method, params.as_deref())));
    }

    /// The subscription stands, for these notifications.
    fn acknowledged(&mut self, agreed: Option<&Members<'_>>, out: &mut Vec<Output>) {
        if let Some(old) = self.listen.current.take() {
            out.push(Output::ToServer(cancelled(&old)));
        }
        self.listen.current = self.listen.next.take();
        self.listen.backoff.reset();
        let agreed: Option<BTreeSet<String>> = agreed.map(|agreed| {
            let resources = agreed.get("resourceSubscriptions").map(serde_json::from_str);
            resources.and_then(Result::ok).unwrap_or_default()
        });
        for (id, uri) in std::mem::take(&mut self.listen.owed) {
            if agreed.as_ref().is_none_or(|agreed| agreed.contains(&uri)) {
                out.push(Output::ToHost(result(&id, "{}")));
            } else {
                self.listen.resources.remove(&uri);
                let why = "the server does not tell of this resource";
                out.push(Output::ToHost(error(&id, INVALID_PARAMS, why)));
            }
        }
        if !std::mem::take(&mut self.listen.gap) {
            return;
        }
        for (_, told) in &self.listen.lists {
            out.push(Output::ToHost(notification(told, None)));
        }
        for uri in &self.listen.resources {
            let params = format!(r#"{{"uri":{}}}"#, quoted(uri));
            let method = "notifications/resources/updated";
            out.push(Output::ToHost(notification(method, Some(&params))));
        }
    }

    /// A subscription was answered: refused, or ended in order.
    pub(super) fn listen_answered(
        &mut self,
        id: &Id,
        line: &Bytes,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let answer = Members::read(text(line)).unwrap_or_default();
        if answer.get("error").is_none() {
            return self.listen_lost(id, &Failure::Lost, now, out);
        }
        for (owed, uri) in std::mem::take(&mut self.listen.owed) {
            self.listen.resources.remove(&uri);
            out.push(Output::ToHost(renamed(answer.clone(), &owed)));
        }
        self.forget(id);
        out.push(Output::Warn("the gateway takes no subscription".to_owned()));
    }

    /// A subscription has failed, or its stream was cut.
    pub(super) fn listen_lost(
        &mut self,
        id: &Id,
        failure: &Failure,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        if self.listen.next.as_ref() == Some(id) {
            for (owed, uri) in std::mem::take(&mut self.listen.owed) {
                self.listen.resources.remove(&uri);
                out.push(Output::Fail(owed, Box::new(failure.clone())));
            }
        }
        self.forget(id);
        // What is refused will be refused again.
        let again = !matches!(failure, Failure::Misbehaved { .. } | Failure::Forbidden { .. });
        if again && self.listen.next.is_none() && self.listen.current.is_none() {
            self.listen.retry = Some(now.after(self.listen.backoff.next_wait()));
        }
    }

    fn forget(&mut self, id: &Id) {
        if self.listen.next.as_ref() == Some(id) {
            self.listen.next = None;
        }
        if self.listen.current.as_ref() == Some(id) {
            self.listen.current = None;
            self.listen.gap = true;
        }
    }

    pub(super) fn tick_listen(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.listen.retry.is_some_and(|at| now.reached(at)) {
            self.open_listen(now, out);
        }
    }
}
