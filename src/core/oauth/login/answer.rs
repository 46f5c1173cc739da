//! Back from the browser: what the redirect brings (RFC 6749 §4.1.2).

use super::discover::without_offline;
use super::redirect::{self, ExpectRedirect};
use super::tokens::{self, ExpectTokens, code_grant};
use super::{Claim, OpenSignIn, Server, Start, State, Step, answer_page};
use crate::core::event::Page;
use crate::core::oauth::failure::SignInFailure;
use crate::core::time::Moment;
use crate::secret::Secret;

/// Takes what the browser brought back.
///
/// The order matters: an answer with another `state` is not ours, one from another issuer
/// (RFC 9207 §2.4) must not even be shown, and only then does its content count.
pub(super) fn back(
    start: &Start,
    mut expect: ExpectRedirect,
    id: u64,
    query: &Secret,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let answer = Answer::read(query.expose());
    if !answer.state.as_deref().is_some_and(|state| same(state, expect.state.expose())) {
        // Somebody else's answer, or an old tab: the real one is still to come.
        out.push(answer_page(id, Page::Stale));
        return Ok(State::ExpectRedirect(Box::new(expect)));
    }
    let mut fail = |failure: SignInFailure, page: Page| {
        out.push(answer_page(id, page));
        failure
    };
    if let Err(failure) = check_issuer(&expect.server, answer.issuer.as_deref()) {
        let page = Page::Failed(failure.to_string());
        return Err(fail(failure, page));
    }
    if let Some(error) = answer.error {
        if is_mended(start, &mut expect, &error) {
            return ask_again(start, expect, id, now, out);
        }
        let page = if error == "access_denied" {
            Page::Denied
        } else {
            Page::Failed(format!("the authorization server refused the sign-in: {error}"))
        };
        let failure = SignInFailure::Refused {
            step: "the sign-in",
            error,
            description: answer.error_description,
        };
        return Err(fail(failure, page));
    }
    let Some(code) = answer.code else {
        let failure = SignInFailure::ServerMisbehaved {
            subject: "the authorization server".to_owned(),
            got: "sent the browser back without a code".to_owned(),
            expected: "`code` or `error` (RFC 6749 §4.1.2)".to_owned(),
        };
        let page = Page::Failed(failure.to_string());
        return Err(fail(failure, page));
    };
    // A code is good for one use: nobody else can go on from here.
    out.push(Step::Claim(None));
    let grant = code_grant(&expect, code);
    let plain = tokens::plain(&expect.server, &grant);
    let again = Some(Box::new(grant.clone()));
    out.push(Step::Grant(Box::new(grant)));
    Ok(State::ExpectTokens(Box::new(ExpectTokens {
        server: expect.server,
        client: expect.client,
        browser: Some(id),
        plain,
        again,
    })))
}

/// Leaves out what the server did not understand and nobody had asked for: `offline_access`, or
/// the `resource` of a server that publishes no metadata for it.
fn is_mended(start: &Start, expect: &mut ExpectRedirect, error: &str) -> bool {
    let resource = &mut expect.server.resource;
    match error {
        "invalid_scope" if start.options.scope().is_none() => {
            let scope = resource.scope.as_deref().and_then(without_offline);
            let mended = scope.is_some();
            resource.scope = scope.or_else(|| resource.scope.take());
            mended
        }
        "invalid_target" | "invalid_request" if !resource.documented => {
            resource.id.take().is_some()
        }
        _ => false,
    }
}

/// Sends the browser, in the tab that it has come with, on to a second request.
fn ask_again(
    start: &Start,
    expect: ExpectRedirect,
    id: u64,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let Some(entropy) = expect.entropy else {
        let why = "the authorization server refused the sign-in; please start it again";
        out.push(answer_page(id, Page::Failed(why.to_owned())));
        return Err(SignInFailure::Refused {
            step: "the sign-in",
            error: "invalid_request".to_owned(),
            description: None,
        });
    };
    let (verifier, state) = redirect::secrets(&entropy, 1);
    let url =
        redirect::authorization_url(start, &expect.server, &expect.client, &verifier, &state)?;
    out.push(answer_page(id, Page::Onward(url.clone())));
    let expect = ExpectRedirect { verifier, state, url, look_at: None, entropy: None, ..expect };
    let open = OpenSignIn::new(start, &expect, Some(now.unix), now);
    out.push(Step::Claim(Some(Claim::Open(Box::new(open)))));
    Ok(State::ExpectRedirect(Box::new(expect)))
}

/// The parameters of a redirect; of those that are there twice the first one counts.
#[derive(Default)]
struct Answer {
    state: Option<String>,
    issuer: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Answer {
    fn read(query: &str) -> Self {
        let mut answer = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "state" => &mut answer.state,
                "iss" => &mut answer.issuer,
                "code" => &mut answer.code,
                "error" => &mut answer.error,
                "error_description" => &mut answer.error_description,
                _ => continue,
            };
            slot.get_or_insert(value.into_owned());
        }
        answer
    }
}

/// RFC 9207 §2.4: an advertised `iss` must be there, and any `iss` must be the right one.
fn check_issuer(server: &Server, issuer: Option<&str>) -> Result<(), SignInFailure> {
    let expected = &server.metadata.issuer;
    let got = match issuer {
        Some(issuer) if issuer == expected => return Ok(()),
        None if !server.metadata.authorization_response_iss_parameter_supported => return Ok(()),
        // The value is an attacker's text, perhaps: it is not shown.
        Some(_) => "comes from another issuer",
        None => "does not name its issuer although it must",
    };
    Err(SignInFailure::ServerMisbehaved {
        subject: "the answer to the sign-in".to_owned(),
        got: got.to_owned(),
        expected: format!("`iss` to be `{expected}` (RFC 9207 §2.4)"),
    })
}

/// Compares without telling by its duration where the difference is.
fn same(left: &str, right: &str) -> bool {
    let difference = left.bytes().zip(right.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    left.len() == right.len() && difference == 0
}
