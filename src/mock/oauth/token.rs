//! The token endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::client_auth::ClientAuth;
use super::grants::{Grace, Grant, Link, Proof, Rotation};
use super::jwt::{self, Claims};
use super::{Form, OAuthError, metadata, no_store};
use crate::mock::fault::{Fault, Route};
use crate::mock::log::{Credential, Note, fingerprint};
use crate::mock::plan::Bearer;
use crate::mock::state::{Mock, lock};
use crate::mock::wire::{End, Scissors};

/// `POST /oauth/token`.
pub(crate) async fn token(
    State(mock): State<Arc<Mock>>,
    Extension(note): Extension<Note>,
    Extension(line): Extension<Scissors>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let form = Form::parse(&body);
    note.add(|entry| {
        entry.grant_type = form.get("grant_type").map(str::to_owned);
        entry.refresh_token = form.get("refresh_token").map(fingerprint);
        entry.client_id = form.get("client_id").map(str::to_owned);
        if form.get("client_secret").is_some() {
            entry.credential = Credential::ClientSecret;
        }
        if form.get("client_assertion").is_some() {
            entry.credential = Credential::ClientAssertion;
        }
    });
    if mock.faults.strikes(Route::Token, &Fault::TokenRevokeAll) {
        lock(&mock.grants).revoke_all();
    }
    if let Some(ordered) = ordered(&mock) {
        return ordered;
    }
    let mut answer = grant(&mock, &headers, &form)?;
    mock.faults.replace(Route::Token, &mut answer, |fault| match fault {
        Fault::TokenMember(member, value) => Some((member.clone(), value.clone())),
        _ => None,
    });
    if mock.faults.strikes(Route::Token, &Fault::TokenResetAfterRotate) {
        line.cut(End::Reset);
    }
    if mock.faults.strikes(Route::Token, &Fault::TokenRotateThenDie) {
        std::future::pending::<()>().await;
    }
    let status = mock.faults.take(Route::Token, |fault| match fault {
        Fault::TokenAnswerStatus(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    });
    let status = status.unwrap_or(StatusCode::OK);
    if mock.faults.strikes(Route::Token, &Fault::TokenForm) {
        return Ok((status, no_store(), form_encoded(&answer)).into_response());
    }
    Ok((status, no_store(), Json(answer)).into_response())
}

/// The answer in the form that some servers give it in spite of RFC 6749 5.1.
fn form_encoded(answer: &Value) -> ([(header::HeaderName, &'static str); 1], String) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.finish())
}

/// The answer that a test has ordered instead of a grant.
fn ordered(mock: &Mock) -> Option<Result<Response, OAuthError>> {
    mock.faults.take(Route::Token, |fault| match fault {
        Fault::TokenStatus(status) => {
            let status = StatusCode::from_u16(*status).ok()?;
            Some(Ok((status, no_store()).into_response()))
        }
        Fault::TokenError(error) => Some(Err(OAuthError::ordered(error.clone()))),
        Fault::TokenErrorWithOk(error) => {
            let answer = Json(json!({"error": error}));
            Some(Ok((no_store(), answer).into_response()))
        }
        Fault::TokenHtml => Some(Ok(Html("<h1>Please log in</h1>").into_response())),
        _ => None,
    })
}

fn grant(mock: &Mock, headers: &HeaderMap, form: &Form) -> Result<Value, OAuthError> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| it.split(';').next())
        .is_some_and(|it| it.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !is_form || form.has_repetition() {
        return Err(OAuthError::bad_request(
            "invalid_request",
            "expected a form without repetition",
        ));
    }
    let client = ClientAuth::read(headers, form)?;
    match form.get("grant_type") {
        Some("client_credentials") => client_credentials(mock, &client, form),
        Some("authorization_code") if !mock.plan.old_release => {
            client.client(mock)?;
            authorization_code(mock, &client.client_id, form)
        }
        Some("refresh_token") if !mock.plan.old_release => {
            client.client(mock)?;
            refresh_token(mock, &client.client_id, form)
        }
        Some(DEVICE_GRANT) if mock.plan.device.is_some() => {
            client.client(mock)?;
            device_code(mock, &client.client_id, form)
        }
        Some(_) => {
            Err(OAuthError::bad_request("unsupported_grant_type", "this grant type is not offered"))
        }
        None => Err(OAuthError::bad_request("invalid_request", "`grant_type` is missing")),
    }
}

fn authorization_code(mock: &Mock, client_id: &str, form: &Form) -> Result<Value, OAuthError> {
    let need = |name: &'static str, what: &'static str| {
        form.get(name).ok_or(OAuthError::bad_request("invalid_request", what))
    };
    let code = need("code", "`code` is missing")?;
    let proof = Proof {
        client_id,
        redirect_uri: need("redirect_uri", "`redirect_uri` is missing")?,
        verifier: need("code_verifier", "`code_verifier` is missing")?,
    };
    let redeemed = lock(&mock.grants).redeem_code(code, proof, mock.clock.now());
    let (grant, family) = redeemed.map_err(|why| OAuthError::bad_request("invalid_grant", why))?;
    same_resource(&grant, form)?;
    let scope = grant.scope.clone();
    let link = Link { family, parent: None };
    Ok(tokens(mock, &grant, &scope, grant.refreshes.then_some(link)))
}

fn refresh_token(mock: &Mock, client_id: &str, form: &Form) -> Result<Value, OAuthError> {
    let token = form
        .get("refresh_token")
        .ok_or(OAuthError::bad_request("invalid_request", "`refresh_token` is missing"))?;
    // What is wrong with the request must not use up the token.
    let mut scope = None;
    if let Some(grant) = lock(&mock.grants).peek(token) {
        same_resource(grant, form)?;
        scope = form.get("scope");
        // RFC 6749 6: never more than was granted.
        if scope.is_some_and(|it| !it.split(' ').all(|it| grant.scope.split(' ').any(|g| g == it)))
        {
            return Err(OAuthError::bad_request("invalid_scope", "more than was granted"));
        }
    }
    let rotation = rotation(mock);
    let now = mock.clock.now();
    let redeemed = lock(&mock.grants).redeem_refresh_token(token, client_id, rotation, now);
    let (grant, family) = redeemed.map_err(|why| OAuthError::bad_request("invalid_grant", why))?;
    let link = Link { family, parent: Some(token) };
    Ok(tokens(mock, &grant, scope.unwrap_or(&grant.scope), rotation.rotates.then_some(link)))
}

/// How refresh tokens rotate this time.
fn rotation(mock: &Mock) -> Rotation {
    let grace = mock.faults.take(Route::Token, |fault| match fault {
        Fault::TokenGrace(seconds) => {
            Some(Grace { lasts: Duration::from_secs(*seconds), last_only: false })
        }
        Fault::TokenGraceLastOnly(seconds) => {
            Some(Grace { lasts: Duration::from_secs(*seconds), last_only: true })
        }
        _ => None,
    });
    Rotation {
        rotates: !mock.faults.strikes(Route::Token, &Fault::TokenRotateOff),
        reuse_revokes: !mock.faults.strikes(Route::Token, &Fault::TokenReuseIgnored),
        grace,
    }
}

/// RFC 8628 3.4.
fn device_code(mock: &Mock, client_id: &str, form: &Form) -> Result<Value, OAuthError> {
    let code = form
        .get("device_code")
        .ok_or(OAuthError::bad_request("invalid_request", "`device_code` is missing"))?;
    let grant = lock(&mock.devices).poll(code, client_id, mock.clock.now())?;
    let link = grant.refreshes.then(|| {
        let family = lock(&mock.grants).add_family(grant.clone());
        Link { family, parent: None }
    });
    Ok(tokens(mock, &grant, &grant.scope, link))
}

fn client_credentials(mock: &Mock, client: &ClientAuth, form: &Form) -> Result<Value, OAuthError> {
    let org = client.machine(mock)?;
    let scope = form.get("scope").unwrap_or(metadata::DEFAULT_SCOPE);
    if !metadata::is_known_scope(scope) {
        return Err(OAuthError::bad_request("invalid_scope", "expected `mcp:call`"));
    }
    let default = mock.http_url(&org);
    let resource = form.get("resource").unwrap_or(&default);
    if *resource != mock.base_url && metadata::org_of_resource(mock, resource) != Some(org.as_str())
    {
        return Err(OAuthError::bad_request("invalid_target", "not an endpoint of this client"));
    }
    let grant = Grant {
        client_id: client.client_id.clone(),
        user: client.client_id.clone(),
        org,
        role: None,
        scope: scope.to_owned(),
        resource: resource.to_owned(),
        nonce: None,
        refreshes: false,
    };
    Ok(tokens(mock, &grant, scope, None))
}

/// RFC 8707 2.2: a token request may name the resource again, but no other one.
fn same_resource(grant: &Grant, form: &Form) -> Result<(), OAuthError> {
    if form.get("resource").is_none_or(|it| it == grant.resource) {
        return Ok(());
    }
    Err(OAuthError::bad_request("invalid_target", "not the resource that was granted"))
}

/// RFC 6749 5.1.
fn tokens(mock: &Mock, grant: &Grant, scope: &str, link: Option<Link<'_>>) -> Value {
    let now = mock.clock.now();
    let lifetime = mock.faults.take(Route::Token, |fault| match fault {
        Fault::TokenTtl(seconds) => Some(*seconds),
        _ => None,
    });
    let lifetime = lifetime.unwrap_or(mock.plan.access_token_lifetime.as_secs());
    let mut claims = Claims {
        iss: mock.issuer.clone(),
        sub: grant.user.clone(),
        aud: grant.resource.clone(),
        org: grant.org.clone(),
        scope: scope.to_owned(),
        role: grant.role.map(|it| it.name().to_owned()),
        client_id: grant.client_id.clone(),
        iat: now.as_secs(),
        exp: now.as_secs() + lifetime,
        jti: lock(&mock.grants).token_id(&mock.keys.random()),
        nonce: None,
    };
    let access_token = jwt::sign(&mock.keys, jwt::Kind::Access, &claims);
    mock.remember(&access_token);
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": scope,
    });
    let asked = scope.split(' ').any(|it| it == "openid");
    if asked || mock.plan.bearer != Bearer::AccessToken {
        // OpenID Connect Core 2: an ID token is for the client.
        claims.aud.clone_from(&grant.client_id);
        claims.nonce.clone_from(&grant.nonce);
        let id_token = jwt::sign(&mock.keys, jwt::Kind::Id, &claims);
        mock.remember(&id_token);
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("id_token".into(), id_token.into());
        }
    }
    if let Some(link) = link {
        let token = mock.issue("apx_refresh_");
        let lifetime = lock(&mock.tenants).get(&grant.org).map(|it| it.refresh_token_lifetime);
        let expires = now + lifetime.unwrap_or(mock.plan.refresh_token_lifetime);
        lock(&mock.grants).add_refresh_token(token.clone(), link, now, expires);
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("refresh_token".into(), token.into());
        }
    }
    answer
}

/// The `grant_type` of RFC 8628 3.4.
pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
