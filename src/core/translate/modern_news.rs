//! What a legacy server tells in the course of calls, for a host of 2026-07-28: progress, and log
//! messages.

use bytes::Bytes;

use super::modern_calls::Call;
use super::modern_host::ModernHost;
use super::{Origin, Output};
use crate::core::members::Members;

impl ModernHost {
    /// Progress, under the token that the host knows by now.
    pub(super) fn progressed(&self, line: &Bytes, params: Option<&str>, out: &mut Vec<Output>) {
        let Some(mut params) = params.and_then(Members::read) else { return };
        let token = params.get("progressToken").map(str::to_owned);
        let calls = self.calls.open.values();
        let Some(call) = calls.into_iter().find(|call| call.token.is_some() && call.token == token)
        else {
            return;
        };
        // Who is to come back hears nothing meanwhile, and who wants none neither.
        let (Some(_), Some(host_token)) = (&call.host, &call.host_token) else { return };
        if call.host_token == call.token {
            return out.push(Output::ToHost(line.clone()));
        }
        params.set("progressToken", host_token.clone());
        let params = params.write();
        out.push(Output::ToHost(super::notification("notifications/progress", Some(&params))));
    }

    /// A log message reaches the host if it has asked for such.
    pub(super) fn logged(
        &mut self,
        line: Bytes,
        params: Option<&str>,
        origin: &Origin,
        out: &mut Vec<Output>,
    ) {
        let level = params.and_then(Members::read).and_then(|it| it.string("level"));
        let level = level.as_deref().and_then(severity).unwrap_or_default();
        let wants = |call: &Call| call.host.is_some() && call.level.is_some_and(|it| it <= level);
        let wanted = match origin {
            Origin::Request(id) => self.calls.at(id).is_some_and(wants),
            Origin::Shared => self.calls.open.values().any(wants),
        };
        if wanted {
            out.push(Output::ToHost(line));
        }
    }
}

/// The place of a level in RFC 5424 §6.2.1, the least important first.
pub(super) fn severity(level: &str) -> Option<usize> {
    let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    levels.iter().position(|it| *it == level)
}
