//! To the browser: the authorization request (RFC 6749 §4.1.1).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use url::Url;

use super::client::{self, Identity, Next, is_absent, without_query};
use super::discover::{endpoint, has_offline};
use super::{Claim, Entropy, OpenSignIn, Server, Start, State, Step};
use crate::core::event::{HttpFailure, Notice, RedirectCommand};
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::record::Registration;
use crate::core::oauth::registration;
use crate::core::time::Moment;
use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct ExpectPreflight {
    server: Server,
    client: Registration,
    entropy: Entropy,
}

#[derive(Debug)]
pub(super) struct ExpectRedirect {
    pub(super) server: Server,
    pub(super) client: Registration,
    pub(super) state: Secret,
    pub(super) verifier: Secret,
    pub(super) url: Url,
    pub(super) deadline: Duration,
    /// When to look where the person was sent.
    pub(super) look_at: Option<Duration>,
    /// For a second request, if the server does not understand the first.
    pub(super) entropy: Option<Entropy>,
}

/// The listener has its port, so the redirect URI is known.
pub(super) fn bound(
    start: &Start,
    server: Server,
    port: u16,
    entropy: Entropy,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let redirect_uri = client::redirect_uri(start, &server.metadata, port);
    match client::identity(start, &server, &redirect_uri, now) {
        Identity::Fixed(client) => open(start, server, client, entropy, now, out),
        // Tokens were issued to it a moment ago.
        Identity::Stored(client) if start.scope.is_some() => {
            open(start, server, client, entropy, now, out)
        }
        Identity::Stored(client) => {
            // A server that has forgotten the client can only tell the person, in the browser,
            // where this program does not hear of it. So it is asked before.
            out.push(Step::Fetch(question(start, &server, &client)?));
            Ok(State::ExpectPreflight(Box::new(ExpectPreflight { server, client, entropy })))
        }
        Identity::None => {
            client::register(start, server, redirect_uri, Next::Browser(entropy), out)
        }
    }
}

/// A request that no server grants, because it does not say what it wants: one that knows the client
/// sends us back with an error, and one that does not must not (RFC 6749 §4.1.2.1).
fn question(start: &Start, server: &Server, client: &Registration) -> Result<Url, SignInFailure> {
    let mut url = endpoint(start, &server.metadata, "authorization_endpoint")?;
    url.query_pairs_mut()
        .append_pair("client_id", &client.id)
        .append_pair("redirect_uri", &client.redirect_uri);
    Ok(url)
}

/// The server was asked whether it still knows the client.
pub(super) fn checked(
    start: &Start,
    expect: ExpectPreflight,
    answer: &Result<(u16, Bytes), HttpFailure>,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let ExpectPreflight { server, client, entropy } = expect;
    if registration::is_forgotten(answer.as_ref()) {
        return client::register(start, server, client.redirect_uri, Next::Browser(entropy), out);
    }
    open(start, server, client, entropy, now, out)
}

/// Sends the person to the authorization endpoint.
pub(super) fn open(
    start: &Start,
    server: Server,
    client: Registration,
    entropy: Entropy,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let (verifier, state) = secrets(&entropy, 0);
    let url = authorization_url(start, &server, &client, &verifier, &state)?;
    let deadline = now.after(Duration::from_secs(start.options.timeout_seconds));
    let entropy = Some(entropy);
    // Who is asked for more has been there before.
    let look_at = start.scope.is_none().then(|| now.after(LOOK));
    let expect =
        ExpectRedirect { server, client, state, verifier, url, deadline, look_at, entropy };
    // Before anybody learns the address: whoever comes after us must know of it.
    let window_at = opens_window(start).then_some(now.unix);
    let open = OpenSignIn::new(start, &expect, window_at, now);
    out.push(Step::Claim(Some(Claim::Open(Box::new(open)))));
    Ok(State::ExpectClaimed(Box::new(expect)))
}

fn opens_window(start: &Start) -> bool {
    start.window && !start.options.headless
}

/// The others know: even if this process is killed now, somebody will be there when the person
/// comes back.
pub(super) fn claimed(start: &Start, expect: &ExpectRedirect, out: &mut Vec<Step>) {
    out.push(Step::Tell(Notice::SignIn(expect.url.to_string())));
    if opens_window(start) {
        out.push(Step::Redirect(RedirectCommand::Open(Box::new(expect.url.clone()))));
    }
}

/// When the browser has had the time to be there, and before `initialize` is answered without the
/// gateway: then the host hears of it.
const LOOK: Duration = Duration::from_secs(2);

/// Where the person was sent, unless they are back already. Only they have seen what is there; a page
/// that does not exist would be waited for in vain.
pub(super) fn looked(
    expect: &ExpectRedirect,
    answer: &Result<(u16, Bytes), HttpFailure>,
) -> Result<(), SignInFailure> {
    match answer {
        Ok((status, _)) if is_absent(*status) && !registration::is_forgotten(answer.as_ref()) => {
            Err(SignInFailure::NoPage { page: without_query(&expect.url), status: *status })
        }
        // The browser may get another answer than we do.
        _ => Ok(()),
    }
}

/// The PKCE verifier and the `state` of the first (0) or the second (1) request.
pub(super) fn secrets(entropy: &Entropy, request: usize) -> (Secret, Secret) {
    let mut parts = entropy.chunks(32).skip(2 * request);
    let mut next = || Secret::new(URL_SAFE_NO_PAD.encode(parts.next().unwrap_or_default()));
    (next(), next())
}

/// Where a person signs in (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2).
pub(super) fn authorization_url(
    start: &Start,
    server: &Server,
    client: &Registration,
    verifier: &Secret,
    state: &Secret,
) -> Result<Url, SignInFailure> {
    let broken = |what: &str| SignInFailure::ServerMisbehaved {
        subject: "the authorization server's metadata".to_owned(),
        got: format!("holds a {what} that is no URL"),
        expected: "a URL".to_owned(),
    };
    let endpoint = endpoint(start, &server.metadata, "authorization_endpoint")?;
    let endpoint =
        AuthUrl::new(endpoint.to_string()).map_err(|_| broken("authorization endpoint"))?;
    let redirect =
        RedirectUrl::new(client.redirect_uri.clone()).map_err(|_| broken("redirect URI"))?;
    let oauth = BasicClient::new(ClientId::new(client.id.clone()))
        .set_auth_uri(endpoint)
        .set_redirect_uri(redirect);
    let verifier = PkceCodeVerifier::new(verifier.expose().to_owned());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let state = state.expose().to_owned();
    let mut request = oauth.authorize_url(|| CsrfToken::new(state)).set_pkce_challenge(challenge);
    let scope = server.resource.scope.as_deref();
    for scope in scope.iter().flat_map(|scope| scope.split(' ')) {
        if !scope.is_empty() {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
    }
    if scope.is_some_and(has_offline) {
        // OpenID Connect Core §11: without it the scope is ignored.
        request = request.add_extra_param("prompt", "consent");
    }
    if let Some(resource) = &server.resource.id {
        request = request.add_extra_param("resource", resource);
    }
    Ok(with_params(request.url().0, &start.options.authorize_params))
}

/// The user's own parameters have the last word.
fn with_params(mut url: Url, params: &[(String, String)]) -> Url {
    if params.is_empty() {
        return url;
    }
    let own = |name: &str| params.iter().any(|(own, _)| own == name);
    let rest: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(name, _)| !own(name)).collect();
    url.query_pairs_mut().clear().extend_pairs(rest).extend_pairs(params);
    url
}
