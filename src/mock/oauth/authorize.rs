//! The authorization endpoint: checks the request, hands the browser over to the web origin, and
//! takes it back with the decision.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::grants::{Grant, is_pkce_text};
use super::{Form, client, device, documents, metadata, no_store};
use crate::mock::fault::{Fault, Route};
use crate::mock::log::Site;
use crate::mock::plan::Consent;
use crate::mock::role::Role;
use crate::mock::state::{Mock, lock};
use crate::mock::web::{Decision, HANDOFF_LIFETIME, Handoff, seal, unseal};

/// A checked authorization request. It travels through the browser, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) redirect_uri: String,
    pub(crate) org: String,
    pub(crate) scope: String,
    pub(crate) resource: String,
    pub(crate) state: Option<String>,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    /// Of a device: what the person has typed. Then nothing is redirected to.
    pub(crate) user_code: Option<String>,
}

impl AuthorizationRequest {
    /// What a user grants by approving it.
    pub(crate) fn grant(&self, user: &str, refreshes: bool) -> Grant {
        Grant {
            client_id: self.client_id.clone(),
            user: user.to_owned(),
            org: self.org.clone(),
            role: Some(Role::of(user, &self.org)),
            scope: self.scope.clone(),
            resource: self.resource.clone(),
            nonce: self.nonce.clone(),
            refreshes,
        }
    }
}

/// `GET /authorize`.
pub(crate) async fn authorize(
    State(mock): State<Arc<Mock>>,
    RawQuery(query): RawQuery,
) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (client_name, redirect_uri) = match redirection(&mock, &form).await {
        Ok(known) => known,
        // RFC 6749 4.1.2.1: never redirect to where the client did not register.
        Err(problem) => return problem_page(&mock, &problem),
    };
    let request = match check(&mock, &form, client_name, redirect_uri.clone()) {
        Ok(request) => request,
        Err((error, description)) => {
            let refusal = [("error", error), ("error_description", description)];
            let state = form.get("state");
            return back(&mock, Route::Authorize, &redirect_uri, state, &refusal).await;
        }
    };
    let consent = consent(&mock).await;
    match consent {
        Consent::Approve => approve(&mock, Route::Authorize, &request, "auto-approve").await,
        Consent::Deny => deny(&mock, Route::Authorize, &request).await,
        Consent::Ask => {
            let expires = mock.clock.now() + HANDOFF_LIFETIME;
            let handoff =
                Handoff { request, nonce: mock.keys.random(), expires: expires.as_secs() };
            let sealed = seal(mock.keys.handoff(Site::Gateway), &handoff);
            see_other(&format!("{}/oauth/consent?handoff={sealed}", mock.web_url))
        }
    }
}

/// `GET /authorize/complete`: the browser comes back with what the user decided.
pub(crate) async fn complete(State(mock): State<Arc<Mock>>, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let now = mock.clock.now();
    let decision = form
        .get("decision")
        .and_then(|sealed| unseal::<Decision>(mock.keys.handoff(Site::Gateway), sealed))
        .filter(|_| !mock.faults.strikes(Route::Callback, &Fault::HandoffInvalid))
        .filter(|decision| now.as_secs() < decision.handoff.expires);
    let Some(Decision { handoff, user, org, approved }) = decision else {
        return problem_page(
            &mock,
            "Handoff invalid: it has expired, or gateway and web do not share one secret.",
        );
    };
    let expires = Duration::from_secs(handoff.expires);
    if !lock(&mock.grants).use_once(&handoff.nonce, expires, now) {
        return problem_page(&mock, "This request has been decided already.");
    }
    // The product binds a token to the organisation that was active, whichever was asked for.
    let request = &AuthorizationRequest { org, ..handoff.request };
    if let Some(user_code) = &request.user_code {
        return decide_device(&mock, request, user_code, approved.then_some(user.as_str()));
    }
    if approved {
        approve(&mock, Route::Callback, request, &user).await
    } else {
        deny(&mock, Route::Callback, request).await
    }
}

/// What becomes of a request, and when: the plan's word, unless something else is ordered.
async fn consent(mock: &Mock) -> Consent {
    let slow = mock.faults.take(Route::Authorize, |fault| match fault {
        Fault::ConsentSlow(wait) => Some(*wait),
        Fault::ConsentHang => Some(Duration::MAX),
        _ => None,
    });
    if let Some(wait) = slow {
        tokio::time::sleep(wait).await;
    }
    let ordered = mock.faults.take(Route::Authorize, |fault| match fault {
        Fault::ConsentIs(consent) => Some(*consent),
        _ => None,
    });
    ordered.unwrap_or(mock.plan.consent)
}

/// Where the answer may go: checked before anything else.
async fn redirection(mock: &Mock, form: &Form) -> Result<(String, String), String> {
    if form.has_repetition() {
        return Err("The request repeats a parameter.".into());
    }
    let client_id = form.get("client_id").ok_or("The request lacks `client_id`.")?;
    let client = documents::find(mock, client_id).await?;
    let redirect_uri = form.get("redirect_uri").ok_or("The request lacks `redirect_uri`.")?;
    if !client.may_redirect_to(redirect_uri) {
        return Err("The redirect URI is not registered for this client.".into());
    }
    Ok((client.name, redirect_uri.to_owned()))
}

/// An OAuth error and its description.
type Problem = (&'static str, &'static str);

/// What a request wants to use: organisation, scope and resource (RFC 8707 2).
pub(crate) fn target(mock: &Mock, form: &Form) -> Result<(String, String, String), Problem> {
    let resource = form.get("resource").unwrap_or(&mock.base_url);
    let org = metadata::org_of_resource(mock, resource)
        .ok_or(("invalid_target", "`resource` is not an endpoint of this gateway"))?;
    let scope = form.get("scope").unwrap_or(metadata::DEFAULT_SCOPE);
    if !metadata::is_known_scope(scope) {
        return Err(("invalid_scope", "expected `mcp:call` or `mcp:call:<connector>`"));
    }
    Ok((org.to_owned(), scope.to_owned(), resource.to_owned()))
}

fn check(
    mock: &Mock,
    form: &Form,
    client_name: String,
    redirect_uri: String,
) -> Result<AuthorizationRequest, Problem> {
    match form.get("response_type") {
        Some("code") => {}
        None => return Err(("invalid_request", "`response_type` is missing")),
        Some(_) => return Err(("unsupported_response_type", "expected `code`")),
    }
    // OAuth 2.1 7.5.1: PKCE always; and S256, as nothing here can only do `plain`.
    if form.get("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "expected `code_challenge_method` to be `S256`"));
    }
    let code_challenge = form.get("code_challenge").filter(|it| is_pkce_text(it));
    let code_challenge =
        code_challenge.ok_or(("invalid_request", "expected a `code_challenge`"))?;
    let (org, scope, resource) = target(mock, form)?;
    Ok(AuthorizationRequest {
        client_id: form.get("client_id").unwrap_or_default().to_owned(),
        client_name,
        redirect_uri,
        org,
        scope,
        resource,
        state: form.get("state").map(str::to_owned),
        code_challenge: code_challenge.to_owned(),
        nonce: form.get("nonce").map(str::to_owned),
        user_code: None,
    })
}

async fn approve(
    mock: &Mock,
    route: Route,
    request: &AuthorizationRequest,
    user: &str,
) -> Response {
    let Some(refreshes) = lock(&mock.clients).get(&request.client_id).map(|it| it.refreshes) else {
        return problem_page(mock, "This client is not registered any more.");
    };
    let mut grant = request.grant(user, refreshes);
    if let Some(org) = mock.faults.take(route, |fault| match fault {
        Fault::LoginAccount(org) => Some(org.clone()),
        _ => None,
    }) {
        grant.org = org;
    }
    let code = mock.issue("apx_code_");
    lock(&mock.grants).add_code(
        code.clone(),
        grant,
        request.redirect_uri.clone(),
        request.code_challenge.clone(),
        mock.clock.now(),
    );
    if mock.faults.strikes(route, &Fault::CodeReuse) {
        lock(&mock.grants).use_up_code(&code);
    }
    let parameters = [("code", code.as_str())];
    back(mock, route, &request.redirect_uri, request.state.as_deref(), &parameters).await
}

/// RFC 8628 3.3: the device learns of it by polling, the person by a page.
fn decide_device(
    mock: &Mock,
    request: &AuthorizationRequest,
    user_code: &str,
    user: Option<&str>,
) -> Response {
    let Some(client) = documents::known(mock, &request.client_id) else {
        return problem_page(mock, "This client is not registered any more.");
    };
    let decision = match user {
        Some(user) => device::Decision::Approved(request.grant(user, client.refreshes)),
        None => device::Decision::Denied,
    };
    if !lock(&mock.devices).decide(user_code, decision, mock.clock.now()) {
        return problem_page(mock, "This code has expired, or was decided about already.");
    }
    let done = if user.is_some() { "Access allowed" } else { "Access denied" };
    mock.pages.notice(done, "You can close this page and return to your device.")
}

async fn deny(mock: &Mock, route: Route, request: &AuthorizationRequest) -> Response {
    let refusal = [("error", "access_denied"), ("error_description", "the user said no")];
    back(mock, route, &request.redirect_uri, request.state.as_deref(), &refusal).await
}

/// The authorization response, good or bad (RFC 6749 4.1.2, RFC 9207 2).
async fn back(
    mock: &Mock,
    route: Route,
    redirect_uri: &str,
    state: Option<&str>,
    parameters: &[(&str, &str)],
) -> Response {
    let Ok(mut url) = Url::parse(redirect_uri) else {
        return problem_page(mock, "The redirect URI is not a URL.");
    };
    let other_error = mock.faults.take(route, |fault| match fault {
        Fault::AuthorizeError(error) => Some(error.clone()),
        _ => None,
    });
    let other_state = mock.faults.take(route, |fault| match fault {
        Fault::AuthorizeState(state) => Some(state.clone()),
        _ => None,
    });
    let other_iss = mock.faults.take(route, |fault| match fault {
        Fault::AuthorizeIss(iss) => Some(iss.clone()),
        _ => None,
    });
    match other_error {
        Some(error) => url.query_pairs_mut().append_pair("error", &error),
        None => url.query_pairs_mut().extend_pairs(parameters),
    };
    let state = other_state.unwrap_or_else(|| state.map(str::to_owned));
    let iss = other_iss.unwrap_or_else(|| Some(mock.issuer.clone()));
    url.query_pairs_mut()
        .extend_pairs(state.map(|state| ("state", state)))
        .extend_pairs(iss.map(|iss| ("iss", iss)));
    if mock.faults.strikes(route, &Fault::ConsentTwice) && client::is_loopback(&url) {
        documents::visit(url.clone()).await;
    }
    see_other(url.as_str())
}

/// Forgets the method, so that nothing is posted to the next place (RFC 9700 4.12).
fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, no_store(), [(header::LOCATION, location)]).into_response()
}

fn problem_page(mock: &Mock, problem: &str) -> Response {
    mock.pages.problem(StatusCode::BAD_REQUEST, "Authorization cannot start", problem)
}
