//! Which sign-ins there are, and whether they work.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::stored::{self, Found, Where};
use crate::cli::StatusRequest;
use crate::core::time::date;
use crate::edge::clock::Clock;
use crate::edge::store::StoreError;
use crate::report::printable;
use crate::run;

/// Shows them; asks nobody and no network, unless `--check` says so.
pub(crate) fn status(request: &StatusRequest) -> ExitCode {
    // First, because it may end what would be shown.
    let checked = match &request.config {
        Some(config) if request.check => Some(super::login::check(config)),
        _ => None,
    };
    let places = match &request.config {
        Some(config) => vec![Where::of(config)],
        None => Where::all(request.state_dir.as_deref(), request.token_store),
    };
    let mut found = Vec::new();
    let mut broken = Vec::new();
    for place in places {
        match stored::read(&place) {
            Ok(Some(one)) => found.push(one),
            Ok(None) => {}
            Err(error) => broken.push((place, error)),
        }
    }
    let now = Clock::start().now().unix;
    let text = if request.json {
        let entries: Vec<_> = found.iter().map(|one| entry(one, now)).collect();
        format!("{:#}\n", json!({ "version": 1, "signIns": entries }))
    } else {
        describe(request, &found, now)
    };
    if request.json || broken.is_empty() || !found.is_empty() {
        run::print(&text);
    }
    for (place, error) in &broken {
        let name = &place.name;
        run::complain(&format!("`{name}.json` cannot be read: {error}"), hint(error));
    }
    if !broken.is_empty() {
        return ExitCode::from(6);
    }
    if let Some(status) = checked {
        return ExitCode::from(status);
    }
    let signed_in = found.iter().any(|one| one.record.tokens.is_some());
    if request.config.is_some() && !signed_in { ExitCode::from(4) } else { ExitCode::SUCCESS }
}

fn hint(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Keychain(_) => Some("unlock the keychain, and try again"),
        StoreError::Newer => Some("use the newer version of this program"),
        _ => None,
    }
}

/// For programs: the schema grows, and nothing in it changes its meaning.
fn entry(found: &Found, now: u64) -> Value {
    let Found { record, path, .. } = found;
    let tokens = record.tokens.as_ref();
    let claims = stored::claims(record);
    json!({
        "server": record.server,
        "signedIn": tokens.is_some(),
        "issuer": record.issuer,
        "clientId": record.client.id,
        "resource": record.resource,
        "scope": tokens.and_then(|tokens| tokens.scope.clone()),
        "subject": claims.get("sub"),
        "issuedAt": tokens.map(|tokens| date(tokens.obtained_at)),
        "expiresAt": tokens.and_then(|tokens| tokens.expires_at).map(date),
        "expired": tokens.and_then(|tokens| tokens.expires_at).is_some_and(|at| at <= now),
        "renewable": tokens.is_some_and(|tokens| tokens.refresh.is_some()),
        "file": path,
    })
}

fn describe(request: &StatusRequest, found: &[Found], now: u64) -> String {
    if found.is_empty() {
        return match &request.config {
            Some(config) => format!("{}\n  not signed in\n", config.server_text),
            None => "there are no sign-ins\n".to_owned(),
        };
    }
    let parts: Vec<_> = found.iter().map(|one| paragraph(one, now)).collect();
    parts.join("\n")
}

fn paragraph(found: &Found, now: u64) -> String {
    let Found { record, path, .. } = found;
    let mut lines = vec![record.server.clone()];
    let mut add = |name: &str, value: String| lines.push(format!("  {name:<11}{value}"));
    match &record.tokens {
        None => add("state", "not signed in (the client registration is kept)".to_owned()),
        Some(tokens) => {
            let renewable = tokens.refresh.is_some();
            let until = match (tokens.expires_at, renewable) {
                (None, _) => String::new(),
                (Some(at), true) if at <= now => ", to be renewed at the next start".to_owned(),
                (Some(at), true) => format!(", renewed by itself before {}", date(at)),
                (Some(at), false) if at <= now => format!(", expired {}", date(at)),
                (Some(at), false) => format!(", until {}", date(at)),
            };
            add("state", format!("signed in{until}"));
            add("since", date(tokens.obtained_at));
            if let Some(scope) = &tokens.scope {
                add("scope", scope.clone());
            }
        }
    }
    if let Some(subject) = stored::claims(record).get("sub").and_then(Value::as_str) {
        add("account", subject.to_owned());
    }
    add("issuer", record.issuer.clone());
    add("client", record.client.id.clone());
    add("file", path.display().to_string());
    lines.iter().fold(String::new(), |text, line| text + &printable(line) + "\n")
}
