//! The only wording of failures: one sentence, used on stderr, in the JSON-RPC error and for the
//! exit status; docs/errors.md explains each.

use serde_json::json;

use crate::core::event::{ExchangeId, HttpEvent, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::oauth::failure::SignInFailure;

/// What this program calls itself where a failure is reported.
pub const NAME: &str = "apexmcp-bridge";

/// The JSON-RPC error code of a failure.
///
/// MCP reserves -32768 to -32000 for the protocol and its peers; a failure of the bridge must not
/// look like one of theirs.
pub fn code(failure: &Failure) -> i32 {
    match failure {
        Failure::Unreachable { .. } | Failure::Untrusted { .. } => -31001,
        Failure::SignIn(_) => -31002,
        Failure::CredentialRefused { .. } => -31003,
        Failure::Forbidden { .. } => -31004,
        Failure::Misbehaved { .. } | Failure::Limited { .. } => -31005,
        Failure::Lost => -31006,
        Failure::TimedOut { .. } | Failure::Overdue { .. } => -31007,
        Failure::Closing { .. } => -31008,
        // The code of mcp-remote, which hosts may know.
        Failure::HiddenTool(_) => -32603,
        // The one code that JSON-RPC 2.0 §5.1 itself has for it.
        Failure::InvalidRequest(_) => -32600,
    }
}

/// The exit status when a conversation ends with this failure.
pub fn exit_code(failure: &Failure) -> u8 {
    match failure {
        Failure::Unreachable { .. }
        | Failure::Untrusted { .. }
        | Failure::TimedOut { .. }
        | Failure::Overdue { .. } => 5,
        Failure::SignIn(SignInFailure::Local { .. }) => 6,
        Failure::SignIn(_) | Failure::CredentialRefused { .. } | Failure::Forbidden { .. } => 4,
        _ => 1,
    }
}

/// What the reader can do about it, if anything.
pub fn hint(failure: &Failure) -> Option<String> {
    Some(match failure {
        Failure::Unreachable { .. } => {
            "check the URL, the network and the proxy settings, and try again".to_owned()
        }
        Failure::Untrusted { .. } => {
            "if your organisation's network or the gateway has an authority of its own, name its certificate: `--ca-cert FILE`, or NODE_EXTRA_CA_CERTS".to_owned()
        }
        Failure::CredentialRefused { headers, .. } => format!(
            "check {}: it may be revoked, expired, or of another organisation",
            match headers.as_slice() {
                [] => "the configured credential".to_owned(),
                names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            }
        ),
        Failure::Forbidden { .. } => {
            "ask the organisation's administrator: the role, the scope or the address may not be allowed".to_owned()
        }
        Failure::SignIn(failure) => sign_in_hint(failure),
        Failure::Misbehaved { .. } => {
            "check the URL; if it is right, this is for the operator of the gateway".to_owned()
        }
        Failure::Limited { status, wait, .. } => limit_hint(*status, *wait),
        Failure::Lost => "it is not known whether the request ran; check before you repeat it".to_owned(),
        Failure::TimedOut { .. } => {
            "the gateway or a proxy before it holds the answer back; try `--transport http-only`".to_owned()
        }
        Failure::Overdue { .. } => {
            "it was cancelled and may have run; `--request-timeout` and `--headers-timeout` set the limits".to_owned()
        }
        Failure::Closing { .. } => {
            "keep stdin open until the answer has come: `(printf …; sleep 30) | apexmcp-bridge …`".to_owned()
        }
        Failure::HiddenTool(_) => {
            "it was hidden with `--ignore-tool`; take that out of the configuration to use it".to_owned()
        }
        Failure::InvalidRequest(_) => return None,
    })
}

fn limit_hint(status: u16, wait: Option<u64>) -> String {
    let again = match wait {
        Some(seconds) => format!("try again in {seconds} s"),
        None => "try again later".to_owned(),
    };
    match status {
        413 => "the message is too large for the gateway; send less at once".to_owned(),
        429 => format!("the rate limit or the quota of the plan is used up; {again}"),
        _ => format!("the gateway is overloaded or being restarted; {again}"),
    }
}

fn sign_in_hint(failure: &SignInFailure) -> String {
    let hint = match failure {
        SignInFailure::ServerIncompatible { missing, .. } if missing.contains("registration") => {
            "the server registers no clients by itself; pass one that its operator has registered: `--static-oauth-client-info '{\"client_id\":\"…\"}'`"
        }
        SignInFailure::ServerMisbehaved { .. } | SignInFailure::ServerIncompatible { .. } => {
            "this is for the operator of the gateway; until then use an API key: `--header 'X-API-Key:${APEX_KEY}'`"
        }
        SignInFailure::NoSignIn { .. } => {
            "the gateway's release is older than the sign-in of MCP: its operator can bring it up to date; until then use an API key, `--header 'X-API-Key:${APEX_KEY}'`, or `--client-credentials`"
        }
        SignInFailure::NoPage { .. } => {
            "the gateway's release may know client credentials only, or a proxy does not let the page through: this is for its operator; until then use an API key, `--header 'X-API-Key:${APEX_KEY}'`, or `--client-credentials`"
        }
        SignInFailure::Refused { step, error, .. } => refused_hint(step, error),
        SignInFailure::FreshTokenRefused => {
            "sign in with an account that belongs to this organisation; if it does, this is for the operator of the gateway"
        }
        SignInFailure::Transient { .. } | SignInFailure::Elsewhere { passing: true, .. } => {
            "nothing is lost; a later request tries again"
        }
        SignInFailure::Unfinished { url } if !url.is_empty() => {
            "the sign-in goes on while the bridge is running; from a terminal: `apexmcp-bridge login` and the server's URL; an error page in the browser is for the operator of the gateway"
        }
        SignInFailure::TimedOut { .. } => TIMED_OUT,
        SignInFailure::Unfinished { .. } => {
            "sign in from a terminal with `apexmcp-bridge login` and the server's URL, or use an API key"
        }
        SignInFailure::Stuck => {
            "end the other copies of this program, or restart the MCP client, and try again"
        }
        SignInFailure::Elsewhere { .. } => {
            "try again in a minute, sign in from a terminal with `apexmcp-bridge login` and the server's URL, or use an API key"
        }
        SignInFailure::Local { .. } => "choose another callback port, or use an API key",
    };
    hint.to_owned()
}

/// The browser does not come back from an error page, so only the person knows what it showed.
const TIMED_OUT: &str = "an error in the browser, or a sign-in that is asked for again and again, \
    is for the operator of the gateway: at `handoff invalid` gateway and web need one \
    OAUTH_HANDOFF_SECRET; a sign-in that repeats loses its cookie between their hosts \
    (PUBLIC_WEB_BASE_URL in the same parent domain, AUTH_TRUST_HOST=true); if nobody was there, run \
    `apexmcp-bridge login` and the server's URL in a terminal, or use an API key";

/// What a refusal means depends on what was refused (RFC 6749 §4.1.2.1, §5.2).
fn refused_hint(step: &str, error: &str) -> &'static str {
    match error {
        "access_denied" => {
            "somebody has to approve the access: try again in a minute, or ask the organisation's administrator"
        }
        "server_error" | "temporarily_unavailable" => {
            "the authorization server has a problem; try again later"
        }
        _ if step.contains("registration") => {
            "pass a client that the server's operator has registered: `--static-oauth-client-info '{\"client_id\":\"…\"}'`"
        }
        "invalid_client" | "unauthorized_client" => {
            "check the configured client: its id, its secret, and what it may do"
        }
        "invalid_grant" => "start the sign-in again",
        _ => "this is for the operator of the authorization server",
    }
}

/// A failure as the JSON-RPC error that answers a request; one line, without its line break.
pub fn json_rpc_error(id: Option<&Id>, failure: &Failure) -> String {
    let mut data = json!({ "bridge": NAME });
    if let Some(data) = data.as_object_mut() {
        if let Some(hint) = hint(failure) {
            data.insert("hint".to_owned(), json!(hint));
        }
        if let Failure::CredentialRefused { status, .. }
        | Failure::Forbidden { status, .. }
        | Failure::Limited { status, .. } = failure
        {
            data.insert("httpStatus".to_owned(), json!(status));
        }
        let perhaps_run = match failure {
            // The last two are the word of a proxy, which may have passed the message on.
            Failure::Lost
            | Failure::Closing { sent: true }
            | Failure::Overdue { .. }
            | Failure::Limited { status: 502 | 504, .. } => true,
            Failure::Limited { status: 503, wait, .. } => wait.is_none(),
            _ => false,
        };
        if perhaps_run {
            data.insert("delivery".to_owned(), json!("unknown"));
        }
    }
    let message = shortened(failure.to_string());
    let error = json!({ "code": code(failure), "message": message, "data": data });
    let id = id.map(|id| format!(r#""id":{},"#, id.to_json())).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0",{id}"error":{error}}}"#)
}

/// What became of an exchange, for whoever looks for a fault.
pub fn exchange(id: ExchangeId, event: &HttpEvent) -> Option<String> {
    let text = match event {
        HttpEvent::Opened(head) => format!("HTTP {}, an event stream", head.status),
        HttpEvent::Answered(head, body) => format!("HTTP {}, {} bytes", head.status, body.len()),
        HttpEvent::Ended => "the stream has ended".to_owned(),
        HttpEvent::Failed(failure) => failure.cause.clone(),
        // Its content is nobody's business but the host's.
        HttpEvent::Message(_) | HttpEvent::Beat | HttpEvent::Part => return None,
    };
    Some(printable(&format!("#{} {text}", id.0)))
}

/// What a notice says on stderr: one line an event.
pub fn line(notice: &Notice) -> String {
    let text = match notice {
        Notice::Connected(transport, Some(server)) => {
            format!("connected to {server} over {transport}")
        }
        Notice::Connected(transport, None) => format!("connected over {transport}"),
        Notice::SignIn(url) => format!("please sign in: {url}"),
        Notice::NoBrowser(reason) => {
            format!(
                "warning: the browser could not be opened ({reason}); open the address above yourself"
            )
        }
        Notice::SignedIn => "signed in".to_owned(),
        Notice::Imported(path) => format!(
            "the sign-in of mcp-remote was imported from `{path}`; remove mcp-remote from the \
             configuration of your MCP client, because two programs that renew one sign-in end it"
        ),
        Notice::StillUsed => {
            "warning: mcp-remote still uses the sign-in that was imported from it, \
             and one of the two will end the other's; remove mcp-remote from the configuration of \
             your MCP client"
                .to_owned()
        }
        Notice::Failed(failure) => match hint(failure) {
            Some(hint) => format!("error: {failure}; hint: {hint}"),
            None => format!("error: {failure}"),
        },
        Notice::Reconnect { cause, wait_ms } => {
            format!("connection lost ({cause}); trying again in {:.1} s", tenths(*wait_ms))
        }
        Notice::Detail(text) => text.clone(),
        Notice::Warning(text) => format!("warning: {text}"),
    };
    printable(&shortened(text))
}

/// What a line holds at most: an address to sign in at is shorter, and a log that nobody reads
/// keeps a thousand of them.
const LONGEST: usize = 16 << 10;

/// A server's words may be of any length.
fn shortened(mut text: String) -> String {
    if LONGEST < text.len() {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a minute in milliseconds is exact")]
fn tenths(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// A server's text may hold what a terminal would obey: control and bidirectional characters
/// become their escapes.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let bidirectional = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || bidirectional {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_answers_its_request() {
        let failure =
            Failure::CredentialRefused { status: 401, headers: vec!["X-API-Key".to_owned()] };
        let line = json_rpc_error(Some(&Id::String("a\"b".into())), &failure);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["id"], "a\"b");
        assert_eq!(value["error"]["code"], -31003);
        assert_eq!(value["error"]["data"]["httpStatus"], 401);
        assert!(value["error"]["data"]["hint"].as_str().unwrap().contains("X-API-Key"));
        assert!(!json_rpc_error(None, &failure).contains("\"id\""));
    }

    #[test]
    fn a_limit_has_its_own_hint() {
        for (status, wait, expected) in [
            (413, None, "too large"),
            (429, Some(7), "quota of the plan is used up; try again in 7 s"),
            (429, None, "try again later"),
            (503, Some(2), "being restarted; try again in 2 s"),
            (502, None, "being restarted; try again later"),
        ] {
            let failure = Failure::Limited { status, reason: None, wait };
            let line = json_rpc_error(None, &failure);
            assert!(line.contains(expected) && !line.contains("check the URL"), "{line}");
            assert_eq!(line.contains("\"delivery\":\"unknown\""), status == 502, "{line}");
        }
    }

    #[test]
    fn a_request_that_was_sent_may_have_run() {
        let sent = json_rpc_error(None, &Failure::Closing { sent: true });
        assert!(
            sent.contains(r#""delivery":"unknown""#) && sent.contains("keep stdin open"),
            "{sent}"
        );
        assert!(!json_rpc_error(None, &Failure::Closing { sent: false }).contains("delivery"));
    }

    #[test]
    fn a_server_of_many_words_is_cut_short() {
        let got = "ä".repeat(LONGEST);
        let failure = Failure::Misbehaved { got, expected: "an answer" };
        assert!(json_rpc_error(None, &failure).len() < LONGEST + 512);
        assert!(line(&Notice::Failed(Box::new(failure))).len() < LONGEST + 16);
    }

    #[test]
    fn a_terminal_obeys_no_server() {
        let notice = Notice::Connected("HTTP+SSE", Some("\u{1b}[2Jevil\r\n\u{202e}".to_owned()));
        let line = line(&notice);
        assert_eq!(line, "connected to \\u{1b}[2Jevil\\u{d}\\u{a}\\u{202e} over HTTP+SSE");
    }
}
