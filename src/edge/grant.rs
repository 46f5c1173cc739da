//! Asking the token endpoint, with the `oauth2` crate over our own HTTP client.
//!
//! Token endpoints of the real world answer in more ways than RFC 6749 §5 allows. They are brought
//! to its form here before the crate reads them; what stays unreadable is never printed, because
//! it may hold a token.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, HttpRequest, HttpResponse,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    TokenUrl,
};
use reqwest::Client;
use serde::Deserialize;
use thiserror::Error;

mod answer;

use answer::{Answer, normalize};

use super::assertion;
use super::clock::{self, Clock};
use super::http::{failure, read, within};
use crate::core::event::{Delivery, Head, HttpFailure};
use crate::core::oauth::grant::{
    Grant, GrantAnswer, GrantFailure, GrantKind, client_authentication,
};

/// The token request, from its first byte to the answer's last one.
const LIMIT: Duration = Duration::from_secs(20);
/// The largest token answer.
const MAX_ANSWER: usize = 1 << 20;

type OAuth = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Asks the token endpoint.
pub async fn ask(client: Result<Client, HttpFailure>, grant: Grant, clock: Clock) -> GrantAnswer {
    tokio::time::sleep(grant.wait).await;
    let client =
        client.map_err(|failure| GrantFailure::Transient { cause: failure.cause, wait: None })?;
    let extra = extra(&grant, clock.now().unix)?;
    if let GrantKind::Device { code } = &grant.kind {
        return device(&client, device_request(&grant, code.expose(), extra)?).await;
    }
    let broken = || GrantFailure::Malformed("an endpoint that is no URL".to_owned());
    let endpoint = TokenUrl::new(grant.token_endpoint.to_string()).map_err(|_| broken())?;
    let mut oauth = OAuth::new(ClientId::new(grant.client.id.clone()))
        .set_token_uri(endpoint)
        .set_auth_type(auth_type(grant.client.auth_method.as_deref()));
    if let Some(secret) = grant.client.secret() {
        oauth = oauth.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    let asserted = grant.client.key.is_some();
    let call =
        |request| call(client.clone(), if asserted { without_client_id(request) } else { request });
    let answer = match grant.kind {
        GrantKind::Code { code, verifier } => {
            let redirect =
                RedirectUrl::new(grant.client.redirect_uri.clone()).map_err(|_| broken())?;
            let mut request = oauth
                .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
                .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
                .set_redirect_uri(Cow::Owned(redirect));
            for (name, value) in extra {
                request = request.add_extra_param(name, value);
            }
            request.request_async(&call).await
        }
        GrantKind::Refresh { token, scope } => {
            let token = RefreshToken::new(token.expose().to_owned());
            let mut request = oauth.exchange_refresh_token(&token);
            if let Some(scope) = scope {
                request = request.add_scope(Scope::new(scope));
            }
            for (name, value) in extra {
                request = request.add_extra_param(name, value);
            }
            request.request_async(&call).await
        }
        GrantKind::Client { scope } => {
            let mut request = oauth.exchange_client_credentials();
            if let Some(scope) = scope {
                request = request.add_scope(Scope::new(scope));
            }
            for (name, value) in extra {
                request = request.add_extra_param(name, value);
            }
            request.request_async(&call).await
        }
        // The crate would poll by itself; it is answered above.
        GrantKind::Device { .. } => return Err(broken()),
    };
    match answer {
        Ok(answer) => answer.granted(),
        Err(RequestTokenError::ServerResponse(error)) => Err(GrantFailure::Refused {
            error: error.error().to_string(),
            description: error.error_description().cloned(),
        }),
        Err(RequestTokenError::Request(CallError(failure))) => Err(failure),
        // The error holds the raw answer, which may hold a token.
        Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
            Err(GrantFailure::Malformed("something that is no token answer".to_owned()))
        }
    }
}

/// The parameters that the crate does not know: the resource (RFC 8707 §2.2), and the assertion of
/// a client that has a key (RFC 7523 §2.2).
fn extra(grant: &Grant, now: u64) -> Result<Vec<(&'static str, String)>, GrantFailure> {
    let mut extra: Vec<_> = grant.resource.iter().map(|r| ("resource", r.clone())).collect();
    if let Some(key) = &grant.client.key {
        let assertion = assertion::sign(key, &grant.client.id, &grant.issuer, now)
            .map_err(GrantFailure::Malformed)?;
        extra.push(("client_assertion_type", assertion::TYPE.to_owned()));
        extra.push(("client_assertion", assertion));
    }
    Ok(extra)
}

/// An assertion says who the client is; the specifications of the extension leave the id out.
fn without_client_id(mut request: HttpRequest) -> HttpRequest {
    let form = url::form_urlencoded::parse(request.body()).filter(|(name, _)| name != "client_id");
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    *request.body_mut() = body.into_bytes();
    request
}

/// Asks once whether a person has entered the code (RFC 8628 §3.4).
async fn device(client: &Client, request: HttpRequest) -> GrantAnswer {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        error_description: Option<String>,
    }
    let malformed = |what: &str| GrantFailure::Malformed(what.to_owned());
    let response = call(client.clone(), request).await.map_err(|CallError(failure)| failure)?;
    if response.status() == StatusCode::OK {
        let answer = serde_json::from_slice::<Answer>(response.body());
        return answer.map_err(|_| malformed("something that is no token answer"))?.granted();
    }
    let refusal = serde_json::from_slice::<Refusal>(response.body());
    let Refusal { error, error_description: description } =
        refusal.map_err(|_| malformed("a refusal without a code"))?;
    Err(GrantFailure::Refused { error, description })
}

fn device_request(
    grant: &Grant,
    code: &str,
    extra: Vec<(&'static str, String)>,
) -> Result<HttpRequest, GrantFailure> {
    let (authorization, mut form) = client_authentication(&grant.client);
    form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    form.append_pair("device_code", code).extend_pairs(extra);
    let mut request = HttpRequest::new(form.finish().into_bytes());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = grant
        .token_endpoint
        .as_str()
        .parse()
        .map_err(|_| GrantFailure::Malformed("an endpoint that is no URL".to_owned()))?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// RFC 7591 §2: what registration said; without a secret the id goes into the body either way.
fn auth_type(method: Option<&str>) -> AuthType {
    match method {
        Some("client_secret_post" | "none") => AuthType::RequestBody,
        _ => AuthType::BasicAuth,
    }
}

#[derive(Debug, Error)]
#[error("the token request failed")]
struct CallError(GrantFailure);

async fn call(client: Client, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let request = reqwest::Request::try_from(request)
        .map_err(|_| CallError(GrantFailure::Malformed("an endpoint that is no URL".to_owned())))?;
    let answer = within(Some(LIMIT), async {
        let response = client.execute(request).await.map_err(|error| failure(&error))?;
        let head = Head {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            url: None,
        };
        Ok((head, read(response, MAX_ANSWER).await?))
    });
    let (head, body) = match answer.await {
        Ok(answer) => answer,
        Err(HttpFailure { cause, delivery: Delivery::NotDelivered, .. }) => {
            return Err(CallError(GrantFailure::Transient { cause, wait: None }));
        }
        Err(HttpFailure { cause, .. }) => {
            return Err(CallError(GrantFailure::AnswerLost(cause)));
        }
    };
    let wait = head.retry_after(clock::unix());
    normalize(head.status, wait, &body).map_err(CallError)
}
