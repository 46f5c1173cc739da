//! From the code to stored tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::redirect::ExpectRedirect;
use super::{Server, Start, State, Step, answer_page};
use crate::core::event::{Notice, Page, RedirectCommand};
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::grant::{Grant, GrantAnswer, GrantFailure, GrantKind, Granted};
use crate::core::oauth::record::{Record, Registration, Tokens};
use crate::core::time::Moment;
use crate::secret::Secret;

/// How long a server that cannot just now is left alone.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
/// A longer wait is nothing for a person in front of an open page.
const LONGEST_REPEAT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct ExpectTokens {
    pub(super) server: Server,
    pub(super) client: Registration,
    /// The browser that waits for its page, if there is one.
    pub(super) browser: Option<u64>,
    /// The request without `resource`, for a server that does not understand it, and that nobody
    /// has asked for it.
    pub(super) plain: Option<Box<Grant>>,
    /// The request once more, for a server that cannot just now: a person has signed in, and the
    /// next window is minutes away.
    pub(super) again: Option<Box<Grant>>,
}

/// The same request without `resource`, where no metadata has named one.
pub(super) fn plain(server: &Server, grant: &Grant) -> Option<Box<Grant>> {
    let added = !server.resource.documented && grant.resource.is_some();
    added.then(|| Box::new(Grant { resource: None, ..grant.clone() }))
}

/// Whether the server minds the `resource`; the request goes again without it then.
pub(super) fn without_resource(
    expect: &mut ExpectTokens,
    answer: &GrantAnswer,
    out: &mut Vec<Step>,
) -> bool {
    let Err(GrantFailure::Refused { error, .. }) = answer else { return false };
    if !matches!(error.as_str(), "invalid_target" | "invalid_request") {
        return false;
    }
    let Some(plain) = expect.plain.take() else { return false };
    expect.server.resource.id = None;
    expect.again = expect.again.take().map(|_| plain.clone());
    out.push(Step::Grant(plain));
    true
}

/// Whether the server did not take the code, and is asked once more.
pub(super) fn once_more(
    expect: &mut ExpectTokens,
    answer: &GrantAnswer,
    out: &mut Vec<Step>,
) -> bool {
    let Err(GrantFailure::Transient { wait, .. }) = answer else { return false };
    let wait = wait.unwrap_or_default().max(REPEAT_AFTER);
    let Some(again) = expect.again.take().filter(|_| wait <= LONGEST_REPEAT) else { return false };
    out.push(Step::Grant(Box::new(Grant { wait, ..*again })));
    true
}

/// Whether the token endpoint does not know a client that was registered in an earlier sign-in.
/// One that was registered in this one is not registered again.
pub(super) fn is_forgotten(start: &Start, client: &Registration, answer: &GrantAnswer) -> bool {
    let known = start.options.client.is_none()
        && start.known.as_ref().is_some_and(|known| known.client.id == client.id);
    let unknown = |error: &str| matches!(error, "invalid_client" | "unauthorized_client");
    known && matches!(answer, Err(GrantFailure::Refused { error, .. }) if unknown(error))
}

pub(super) fn tokens(
    start: &Start,
    expect: ExpectTokens,
    answer: GrantAnswer,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let granted = answer.map_err(|failure| {
        let failure = grant_failure(failure);
        if let Some(browser) = expect.browser {
            out.push(answer_page(browser, Page::Failed(failure.to_string())));
        }
        failure
    })?;
    if start.options.use_id_token && granted.id_token.is_none() {
        let text = "the server issued no ID token; the access token is sent instead";
        out.push(Step::Tell(Notice::Warning(text.to_owned())));
    }
    let client = match &start.options.client {
        // Its secret stays where the user keeps it.
        Some(_) => Registration { secret: None, key: None, ..expect.client },
        None => expect.client,
    };
    let record = Box::new(Record {
        version: 1,
        generation: start.known.as_ref().map_or(0, |known| known.generation) + 1,
        server: start.server_text.clone(),
        issuer: expect.server.metadata.issuer,
        token_endpoint: expect.server.token_endpoint.into(),
        revocation_endpoint: expect.server.metadata.revocation_endpoint,
        client,
        resource: expect.server.resource.id,
        tokens: Some(issued(
            granted,
            None,
            expect.server.resource.scope,
            start.options.use_id_token,
            now,
        )),
        pending_since: None,
    });
    out.push(Step::Save(record.clone()));
    Ok(State::ExpectSaved(record, expect.browser))
}

/// The tokens to keep after a grant; what the answer leaves out stays as it was
/// (RFC 6749 §5.1, §6).
pub fn issued(
    granted: Granted,
    refresh: Option<Secret>,
    scope: Option<String>,
    use_id_token: bool,
    now: Moment,
) -> Tokens {
    if use_id_token && let Some(token) = granted.id_token {
        let expires_at = expiry(token.expose());
        return Tokens {
            access: token,
            refresh: granted.refresh.or(refresh),
            scope: granted.scope.or(scope),
            obtained_at: now.unix,
            expires_at,
        };
    }
    Tokens {
        access: granted.access,
        refresh: granted.refresh.or(refresh),
        scope: granted.scope.or(scope),
        obtained_at: now.unix,
        expires_at: granted.expires_in.map(|seconds| now.unix.saturating_add(seconds)),
    }
}

/// The `exp` of a JSON Web Token (RFC 7519 §4.1.4), in seconds since 1970. It is only a hint when
/// to ask for the next one, so nobody verifies the signature.
fn expiry(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&payload).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    (0.0..1e15).contains(&exp).then_some(exp as u64)
}

/// The tokens are stored: now they may be used, and the person may know.
pub(super) fn saved(
    start: &Start,
    mut record: Box<Record>,
    browser: Option<u64>,
    generation: u64,
    out: &mut Vec<Step>,
) -> State {
    record.generation = generation;
    if let Some(browser) = browser {
        let page = match &start.options.success_url {
            Some(url) => Page::Onward(url.clone()),
            None => Page::SignedIn,
        };
        out.push(answer_page(browser, page));
        out.push(Step::Redirect(RedirectCommand::Close));
    }
    if !matches!(start.options.way, crate::config::Way::Client { .. }) {
        out.push(Step::Tell(Notice::SignedIn));
    }
    out.push(Step::Done(record));
    State::Done
}

fn grant_failure(failure: GrantFailure) -> SignInFailure {
    let step = "the token request";
    match failure {
        GrantFailure::Refused { error, description } => {
            SignInFailure::Refused { step, error, description }
        }
        GrantFailure::Transient { cause, .. } | GrantFailure::AnswerLost(cause) => {
            SignInFailure::Transient { step, cause }
        }
        GrantFailure::Malformed(got) => SignInFailure::ServerMisbehaved {
            subject: "the token endpoint".to_owned(),
            got: format!("answered {got}"),
            expected: "a token (RFC 6749 §5.1)".to_owned(),
        },
    }
}

/// What a grant asks for after the redirect.
pub(super) fn code_grant(expect: &ExpectRedirect, code: String) -> Grant {
    Grant {
        token_endpoint: expect.server.token_endpoint.clone(),
        issuer: expect.server.metadata.issuer.clone(),
        client: expect.client.clone(),
        resource: expect.server.resource.id.clone(),
        kind: GrantKind::Code { code: Secret::new(code), verifier: expect.verifier.clone() },
        wait: Duration::ZERO,
    }
}
