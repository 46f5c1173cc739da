//! Ending tokens at the server that issued them (RFC 7009).

use std::time::Duration;

use tokio::time::timeout;
use url::Url;
use url::form_urlencoded::Serializer;

use super::client::Clients;
use super::http::{failure, read};
use super::{assertion, clock};
use crate::config::Network;
use crate::core::oauth::discovery::check_endpoint;
use crate::core::oauth::grant::client_authentication;
use crate::core::oauth::record::Record;

/// One request, from its first byte to the answer's last one.
const LIMIT: Duration = Duration::from_secs(10);
/// The largest answer that is looked at.
const MAX_ANSWER: usize = 64 << 10;

/// Ends the refresh token and then the access token; `false` if the server offers no such thing.
pub fn revoke(record: &Record, network: &Network) -> Result<bool, String> {
    let (Some(endpoint), Some(tokens)) = (&record.revocation_endpoint, &record.tokens) else {
        return Ok(false);
    };
    let server = Url::parse(&record.server).map_err(|_| "the server is no URL".to_owned())?;
    let endpoint = check_endpoint("revocation_endpoint", endpoint, &server)
        .map_err(|failure| failure.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let refresh = tokens.refresh.as_ref().map(|token| ("refresh_token", token));
    let all = refresh.into_iter().chain([("access_token", &tokens.access)]);
    let client = Clients::new(network.clone()).get(&endpoint).map_err(|failure| failure.cause)?;
    runtime.block_on(async {
        for (hint, token) in all {
            let (authorization, mut form) = authentication(record)?;
            form.append_pair("token", token.expose()).append_pair("token_type_hint", hint);
            let mut request = reqwest::Request::new(reqwest::Method::POST, endpoint.clone());
            let headers = request.headers_mut();
            headers.insert(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
            if let Some(value) = authorization {
                headers.insert(http::header::AUTHORIZATION, value);
            }
            *request.body_mut() = Some(form.finish().into());
            ask(&client, request, hint).await?;
        }
        Ok(true)
    })
}

/// How the client proves who it is, with its key if it has one (RFC 7009 §2.1, RFC 7523 §2.2).
fn authentication(
    record: &Record,
) -> Result<(Option<http::HeaderValue>, Serializer<'static, String>), String> {
    let client = &record.client;
    let Some(key) = &client.key else { return Ok(client_authentication(client)) };
    let assertion = assertion::sign(key, &client.id, &record.issuer, clock::unix())?;
    let mut form = Serializer::new(String::new());
    form.append_pair("client_assertion_type", assertion::TYPE);
    form.append_pair("client_assertion", &assertion);
    Ok((None, form))
}

async fn ask(
    client: &reqwest::Client,
    request: reqwest::Request,
    hint: &str,
) -> Result<(), String> {
    let answer = timeout(LIMIT, async {
        let response = client.execute(request).await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        Ok((status, read(response, MAX_ANSWER).await?))
    });
    let (status, body) = match answer.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failure)) => {
            let failure: crate::core::event::HttpFailure = failure;
            return Err(failure.cause);
        }
        Err(_) => return Err(format!("no answer within {} s", LIMIT.as_secs())),
    };
    // RFC 7009 §2.2.1: some kinds of tokens cannot be revoked, and then they are not.
    let unsupported = String::from_utf8_lossy(&body).contains("unsupported_token_type");
    match status {
        200..=299 => Ok(()),
        400 if unsupported && hint == "access_token" => Ok(()),
        status => Err(format!("HTTP {status}")),
    }
}
