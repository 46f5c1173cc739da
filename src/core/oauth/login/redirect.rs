//! To the browser and back: the authorization request and the redirect (RFC 6749 §4.1).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use url::Url;

use super::tokens::code_grant;
use super::{
    Claim, ExpectRedirect, ExpectTokens, OpenSignIn, Server, Start, State, Step, answer_page,
};
use crate::core::event::{Notice, Page, RedirectCommand};
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::record::Registration;
use crate::core::time::Moment;
use crate::secret::Secret;

/// Sends the person to the authorization endpoint.
pub(super) fn open(
    start: &Start,
    server: Server,
    client: Registration,
    entropy: &[u8; 64],
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let url = authorization_url(&server, &client, entropy)?;
    let (verifier, state) = secrets(entropy);
    let deadline = now.after(Duration::from_secs(start.options.timeout_seconds));
    let expect = Box::new(ExpectRedirect {
        server,
        client,
        state: Secret::new(state),
        verifier: Secret::new(verifier),
        url,
        deadline,
    });
    let open = Box::new(OpenSignIn::new(&expect, now));
    out.push(Step::Tell(Notice::SignIn(expect.url.to_string())));
    // Before the window opens: whoever comes after us must know of it.
    out.push(Step::Claim(Some(Claim::Open(open))));
    out.push(Step::Redirect(RedirectCommand::Open(Box::new(expect.url.clone()))));
    Ok(State::ExpectRedirect(expect))
}

/// The PKCE verifier and the `state`.
fn secrets(entropy: &[u8; 64]) -> (String, String) {
    let (verifier, state) = entropy.split_at(32);
    (URL_SAFE_NO_PAD.encode(verifier), URL_SAFE_NO_PAD.encode(state))
}

/// Where a person signs in (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2).
pub(super) fn authorization_url(
    server: &Server,
    client: &Registration,
    entropy: &[u8; 64],
) -> Result<Url, SignInFailure> {
    let (verifier, state) = secrets(entropy);
    let broken = |what: &str| SignInFailure::ServerMisbehaved {
        subject: "the authorization server's metadata".to_owned(),
        got: format!("holds a {what} that is no URL"),
        expected: "a URL".to_owned(),
    };
    let endpoint = AuthUrl::new(server.authorization_endpoint.to_string())
        .map_err(|_| broken("authorization endpoint"))?;
    let redirect =
        RedirectUrl::new(client.redirect_uri.clone()).map_err(|_| broken("redirect URI"))?;
    let oauth = BasicClient::new(ClientId::new(client.id.clone()))
        .set_auth_uri(endpoint)
        .set_redirect_uri(redirect);
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
    let mut request = oauth.authorize_url(|| CsrfToken::new(state)).set_pkce_challenge(challenge);
    for scope in server.resource.scope.iter().flat_map(|scope| scope.split(' ')) {
        if !scope.is_empty() {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
    }
    if let Some(resource) = &server.resource.id {
        request = request.add_extra_param("resource", resource);
    }
    Ok(request.url().0)
}

/// Takes what the browser brought back.
///
/// The order matters: an answer with another `state` is not ours, one from another issuer
/// (RFC 9207 §2.4) must not even be shown, and only then does its content count.
pub(super) fn back(
    expect: ExpectRedirect,
    id: u64,
    query: &Secret,
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
    out.push(Step::Grant(Box::new(code_grant(&expect, code))));
    Ok(State::ExpectTokens(Box::new(ExpectTokens {
        server: expect.server,
        client: expect.client,
        browser: id,
    })))
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
