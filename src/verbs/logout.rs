//! Ending a sign-in: at the server, where it offers that, and here.

use std::process::ExitCode;
use std::time::Duration;

use super::stored::{self, Found, Where};
use crate::cli::LogoutRequest;
use crate::core::oauth::record::Record;
use crate::edge::revoke;
use crate::edge::stdio::Log;
use crate::edge::store::StoreError;
use crate::report::printable;

/// How long another process may hold the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends them.
pub(crate) fn logout(request: &LogoutRequest) -> ExitCode {
    let places = match &request.config {
        Some(config) => vec![Where::of(config)],
        None => Where::all(request.state_dir.as_deref(), request.token_store),
    };
    let log = Log::stderr();
    let mut status = 0;
    let mut ended = 0;
    for place in places {
        match end(&place, request, &log) {
            Ok(None) => {}
            Ok(Some(Revoked::Yes)) => ended += 1,
            Ok(Some(Revoked::No)) => {
                ended += 1;
                status = status.max(1);
            }
            Err(error) => {
                log.line(&format!("error: `{}.json`: {error}", place.name));
                status = 6;
            }
        }
    }
    if ended == 0 && status == 0 {
        log.line("there is no sign-in to end");
    }
    log.close();
    ExitCode::from(status)
}

/// Whether the server knows of it.
enum Revoked {
    Yes,
    No,
}

fn end(place: &Where, request: &LogoutRequest, log: &Log) -> Result<Option<Revoked>, StoreError> {
    let mut store = place.open();
    // Nobody renews what is about to end.
    store.lock(PATIENCE)?;
    // Nor does what mcp-remote has take its place.
    store.settle();
    let Some(Found { record, .. }) = stored::read(place)? else { return Ok(None) };
    let revoked = if record.tokens.is_some() && request.revoke {
        at_the_server(&with_secret(&record, request), request, log)
    } else {
        Revoked::Yes
    };
    let had_tokens = record.tokens.is_some();
    if !had_tokens && !request.forget_client {
        return Ok(None);
    }
    if request.forget_client {
        store.forget()?;
    } else {
        let left = Record {
            tokens: None,
            pending_since: None,
            generation: record.generation + 1,
            ..record.clone()
        };
        // That there is no keychain matters no more: no token is in it.
        let warning = store.save(&left);
        if store.is_unsaved() {
            if let Some(warning) = warning {
                log.line(&format!("warning: {warning}"));
            }
            // What cannot be emptied is deleted, the client registration with it.
            store.forget()?;
        }
        store.forget_introduction();
    }
    log.line(&printable(&format!("signed out of {}", record.server)));
    Ok(Some(revoked))
}

/// The record as the server knows its client: a configured secret is not stored.
fn with_secret(record: &Record, request: &LogoutRequest) -> Record {
    let mut record = record.clone();
    let client = request.config.as_ref().and_then(|config| config.login.client.as_ref());
    if let Some(client) = client.filter(|client| client.id == record.client.id) {
        record.client.secret.clone_from(&client.secret);
        record.client.key.clone_from(&client.key);
    }
    record
}

fn at_the_server(record: &Record, request: &LogoutRequest, log: &Log) -> Revoked {
    match revoke::revoke(record, &request.network) {
        Ok(true) => Revoked::Yes,
        Ok(false) if record.token_endpoint.is_empty() => {
            log.line(
                "the tokens were imported from mcp-remote, which still has them; they are deleted \
                 here only",
            );
            Revoked::Yes
        }
        Ok(false) => {
            log.line(&printable(&format!(
                "{} offers no way to end a sign-in; its tokens are deleted here, and expire there",
                record.issuer
            )));
            Revoked::Yes
        }
        Err(reason) => {
            log.line(&printable(&format!(
                "warning: {} was not told ({reason}); its tokens are deleted here, and may live on \
                 there until they expire",
                record.issuer
            )));
            Revoked::No
        }
    }
}
