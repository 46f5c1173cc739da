//! How a client names itself at the token endpoint, and proves it (RFC 6749 2.3, RFC 7523 2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use url::form_urlencoded;

use super::client::Client;
use super::{Form, OAuthError, assertion, documents};
use crate::mock::credentials::Authentication;
use crate::mock::keys::same_secret;
use crate::mock::state::{Mock, lock};

/// Who a client says that it is, and what it shows for it.
#[derive(Debug)]
pub(crate) struct ClientAuth {
    pub(crate) client_id: String,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Assertion(String),
    Basic(String),
    Nothing,
    Post(String),
}

impl ClientAuth {
    /// Reads what the request shows, without judging it.
    pub(crate) fn read(headers: &HeaderMap, form: &Form) -> Result<Self, OAuthError> {
        let named = form.get("client_id").map(str::to_owned);
        let basic = headers.get(header::AUTHORIZATION).map(|value| {
            let pair = value.to_str().ok().and_then(basic);
            pair.ok_or(OAuthError::invalid_client("expected `Authorization: Basic`"))
        });
        let (known, shown) =
            match (basic.transpose()?, form.get("client_secret"), form.get("client_assertion")) {
                (None, None, None) => (None, Shown::Nothing),
                (Some((id, secret)), None, None) => (Some(id), Shown::Basic(secret)),
                (None, Some(secret), None) => (None, Shown::Post(secret.to_owned())),
                (None, None, Some(token)) => {
                    if form.get("client_assertion_type") != Some(assertion::TYPE) {
                        let what = "expected another `client_assertion_type`";
                        return Err(OAuthError::bad_request("invalid_request", what));
                    }
                    (assertion::subject(token), Shown::Assertion(token.to_owned()))
                }
                // RFC 6749 2.3: one method at a time.
                _ => {
                    let what = "two ways of authentication";
                    return Err(OAuthError::bad_request("invalid_request", what));
                }
            };
        if let (Some(known), Some(named)) = (&known, &named)
            && known != named
        {
            let what = "`client_id` is not that of the authentication";
            return Err(OAuthError::bad_request("invalid_request", what));
        }
        let client_id =
            known.or(named).ok_or(OAuthError::invalid_client("the client is not named"))?;
        Ok(Self { client_id, shown })
    }

    /// The client, if it is known and has proved itself the way that it registered for.
    pub(crate) fn client(&self, mock: &Mock) -> Result<Client, OAuthError> {
        let client = documents::known(mock, &self.client_id)
            .ok_or(OAuthError::invalid_client("this client is not registered"))?;
        let proved = match (&client.authentication, &self.shown) {
            (Authentication::None, Shown::Nothing) => true,
            (Authentication::SecretBasic(secret), Shown::Basic(shown))
            | (Authentication::SecretPost(secret), Shown::Post(shown)) => {
                same_secret(secret, shown)
            }
            (Authentication::PrivateKeyJwt(keys), Shown::Assertion(token)) => {
                assertion::check(mock, token, &self.client_id, keys)
                    .map_err(OAuthError::invalid_client)?;
                true
            }
            _ => false,
        };
        if proved {
            return Ok(client);
        }
        Err(OAuthError::invalid_client("wrong secret, or not the registered way to show it"))
    }

    /// The organisation for which the client may act without a person.
    pub(crate) fn machine(&self, mock: &Mock) -> Result<String, OAuthError> {
        // The clients of the dashboard may show their secret either way.
        if let Shown::Basic(secret) | Shown::Post(secret) = &self.shown
            && let Some(org) = lock(&mock.tenants).machine(&self.client_id, secret)
        {
            return Ok(org.to_owned());
        }
        if !lock(&mock.clients).contains_key(&self.client_id) {
            return Err(OAuthError::invalid_client("unknown client or wrong secret"));
        }
        let client = self.client(mock)?;
        let what = "this client may not use client credentials";
        client.machine_of.ok_or(OAuthError::bad_request("unauthorized_client", what))
    }
}

/// RFC 6749 2.3.1: both parts are form-encoded before they are joined.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("={text}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
