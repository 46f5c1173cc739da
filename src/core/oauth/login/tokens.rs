//! From the code to stored tokens.

use super::{ExpectRedirect, ExpectTokens, Start, State, Step, answer_page};
use crate::core::event::Page;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::grant::{Grant, GrantAnswer, GrantFailure, GrantKind, Granted};
use crate::core::oauth::record::{Record, Registration, Tokens};
use crate::core::time::Moment;
use crate::secret::Secret;

/// Whether the token endpoint does not know a client that was registered in an earlier sign-in.
/// One that was registered in this one is not registered again.
pub(super) fn is_forgotten(start: &Start, client: &Registration, answer: &GrantAnswer) -> bool {
    let known = start.known.as_ref().is_some_and(|known| known.client.id == client.id);
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
        out.push(answer_page(expect.browser, Page::Failed(failure.to_string())));
        failure
    })?;
    let record = Box::new(Record {
        version: 1,
        generation: start.known.as_ref().map_or(0, |known| known.generation) + 1,
        server: start.server_text.clone(),
        issuer: expect.server.metadata.issuer,
        token_endpoint: expect.server.token_endpoint.into(),
        client: expect.client,
        resource: expect.server.resource.id,
        tokens: Some(issued(granted, None, expect.server.resource.scope, now)),
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
    now: Moment,
) -> Tokens {
    Tokens {
        access: granted.access,
        refresh: granted.refresh.or(refresh),
        scope: granted.scope.or(scope),
        obtained_at: now.unix,
        expires_at: granted.expires_in.map(|seconds| now.unix.saturating_add(seconds)),
    }
}

fn grant_failure(failure: GrantFailure) -> SignInFailure {
    let step = "the token request";
    match failure {
        GrantFailure::Refused { error, description } => {
            SignInFailure::Refused { step, error, description }
        }
        GrantFailure::Transient(cause) | GrantFailure::AnswerLost(cause) => {
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
        client: expect.client.clone(),
        resource: expect.server.resource.id.clone(),
        kind: GrantKind::Code { code: Secret::new(code), verifier: expect.verifier.clone() },
    }
}
