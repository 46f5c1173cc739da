//! Token answers of the real world, brought to the form of RFC 6749 §5.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, HttpResponse, RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::core::oauth::grant::{GrantAnswer, GrantFailure, Granted};
use crate::secret::Secret;

/// Nobody issues an access token for longer; more is a mistake.
const LONGEST_LIFE: u64 = 365 * 24 * 3600;

/// Brings an answer to the form of RFC 6749 §5; `wait` is how long the server wants to be left
/// alone, if it says.
pub(super) fn normalize(
    status: u16,
    wait: Option<Duration>,
    body: &[u8],
) -> Result<HttpResponse, GrantFailure> {
    let success = (200..300).contains(&status);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let document = match serde_json::from_slice::<Map<String, Value>>(body) {
        Ok(document) => Some(document),
        Err(_) => form(body),
    };
    let code = document.as_ref().and_then(|document| code(document.get("error")?));
    // A framework or a proxy in trouble writes into `error` what it likes: elsewhere than where
    // RFC 6749 §5.2 has it, only what no other means can be meant.
    let said_no = code.as_deref().is_some_and(|code| {
        success || matches!(status, 400 | 401) || STANDARD_CODES.contains(&code)
    });
    if !said_no && matches!(status, 429 | 500..=599) {
        return Err(GrantFailure::Transient { cause: format!("HTTP {status}"), wait });
    }
    let (status, document) = match document {
        // Some say no with 200, and some with an object where a code belongs.
        Some(mut document) if said_no => {
            document.insert("error".to_owned(), json!(code));
            document.retain(|name, value| name == "error" || value.is_string());
            (StatusCode::BAD_REQUEST, document)
        }
        Some(document) if success && document.contains_key("access_token") => {
            (StatusCode::OK, document)
        }
        _ if success => {
            let got = format!("HTTP {status} without an access token");
            return Err(GrantFailure::Malformed(got));
        }
        _ => {
            let mut document = Map::new();
            document.insert("error".to_owned(), json!(format!("http_{status}")));
            (StatusCode::BAD_REQUEST, document)
        }
    };
    let mut response = HttpResponse::new(Value::Object(document).to_string().into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The codes of token requests that a server may send with a status of its own liking (RFC 6749
/// §5.2, RFC 8628 §3.5).
const STANDARD_CODES: [&str; 8] = [
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "temporarily_unavailable",
    "server_error",
    "authorization_pending",
    "slow_down",
    "expired_token",
];

/// The error code; some have an object where it belongs. `Internal Server Error` is none.
fn code(error: &Value) -> Option<String> {
    let text = match error {
        Value::String(text) => text,
        Value::Object(error) => error.get("code").or_else(|| error.get("type"))?.as_str()?,
        _ => return None,
    };
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    (!text.is_empty() && text.bytes().all(fits)).then(|| text.to_owned())
}

/// A few servers answer with a form.
fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let document: Map<String, Value> = url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect();
    (document.contains_key("access_token") || document.contains_key("error")).then_some(document)
}

/// A token answer as it comes (RFC 6749 §5.1).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: String,
    #[serde(default)]
    expires_in: Value,
    #[serde(default, deserialize_with = "lenient")]
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "lenient")]
    id_token: Option<Secret>,
    #[serde(default)]
    scope: Value,
    #[serde(skip, default = "bearer_type")]
    parsed_type: BasicTokenType,
}

/// A member that the tokens can do without: what is no text in it is nothing, and a number is one.
fn lenient<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let text = match Value::deserialize(from)? {
        Value::String(text) => Value::String(text),
        Value::Number(number) => Value::String(number.to_string()),
        _ => return Ok(None),
    };
    Ok(serde_json::from_value(text).ok())
}

fn bearer() -> String {
    "bearer".to_owned()
}

fn bearer_type() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.parsed_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.life().map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl Answer {
    pub(super) fn granted(self) -> GrantAnswer {
        if !self.token_type.eq_ignore_ascii_case("bearer") {
            return Err(GrantFailure::Malformed("a token that is no bearer token".to_owned()));
        }
        let (expires_in, scope) = (self.life(), self.scope());
        let refresh = self.refresh_token.map(RefreshToken::into_secret);
        let access = self.access_token.into_secret();
        // RFC 6750 §2.1: anything else could break out of its header.
        if !is_token(&access) {
            return Err(GrantFailure::Malformed("a token with characters no token has".to_owned()));
        }
        Ok(Granted {
            access: Secret::new(access),
            refresh: refresh.filter(|token| !token.is_empty()).map(Secret::new),
            expires_in,
            scope,
            id_token: self.id_token.filter(|token| is_token(token.expose())),
        })
    }

    /// `expires_in` is advice: numbers in strings and fractions are read, nonsense is unknown.
    fn life(&self) -> Option<u64> {
        let seconds = match &self.expires_in {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        (0.0..1e15).contains(&seconds).then(|| (seconds as u64).min(LONGEST_LIFE))
    }

    fn scope(&self) -> Option<String> {
        match &self.scope {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Array(list) if !list.is_empty() => {
                Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
            }
            _ => None,
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> String {
        let response = match normalize(status, None, body.as_bytes()) {
            Ok(response) => response,
            Err(failure) => return format!("{failure:?}"),
        };
        if response.status() != StatusCode::OK {
            return String::from_utf8(response.into_body()).unwrap();
        }
        match serde_json::from_slice::<Answer>(response.body()).unwrap().granted() {
            Ok(granted) => format!(
                "{} {:?} {:?} {:?}",
                granted.access.expose(),
                granted.refresh.map(|token| token.expose().to_owned()),
                granted.expires_in,
                granted.scope
            ),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[test]
    fn token_answers_of_the_real_world() {
        let ok = "a None Some(3600) None";
        assert_eq!(
            read(200, r#"{"access_token":"a","token_type":"Bearer","expires_in":3600}"#),
            ok
        );
        assert_eq!(read(201, r#"{"access_token":"a","expires_in":"3600"}"#), ok);
        assert_eq!(read(200, "\u{feff}{\"access_token\":\"a\",\"expires_in\":3600.0}"), ok);
        assert_eq!(read(200, "access_token=a&token_type=BEARER&expires_in=3600"), ok);
        let unknown = "a None None None";
        assert_eq!(
            read(200, r#"{"access_token":"a","expires_in":-1,"refresh_token":""}"#),
            unknown
        );
        assert_eq!(read(200, r#"{"access_token":"a","expires_in":null,"scope":null}"#), unknown);
        assert_eq!(
            read(200, r#"{"access_token":"a","refresh_token":"r","scope":["x","y"]}"#),
            r#"a Some("r") None Some("x y")"#
        );
        assert_eq!(
            read(200, r#"{"access_token":"a","refresh_token":7,"id_token":{},"expires_in":null}"#),
            r#"a Some("7") None None"#
        );
        assert_eq!(
            read(200, r#"{"access_token":"a","expires_in":1e12}"#),
            "a None Some(31536000) None"
        );
    }

    #[test]
    fn refusals_of_the_real_world() {
        let no = r#"{"error":"invalid_grant"}"#;
        assert_eq!(read(400, no), no);
        assert_eq!(read(200, no), no, "an error with status 200");
        assert_eq!(read(500, no), no, "an error with status 500 is still an answer");
        assert_eq!(read(401, ""), r#"{"error":"http_401"}"#);
        assert_eq!(read(401, r#"{"error":"Unauthorized"}"#), r#"{"error":"http_401"}"#);
        for (status, error) in [(403, "forbidden"), (404, "Not Found"), (405, "invalid_request")] {
            let expected = format!("{{\"error\":\"http_{status}\"}}");
            assert_eq!(read(status, &format!("{{\"error\":\"{error}\"}}")), expected);
        }
        for status in [500, 502, 503, 429] {
            let answer = read(status, r#"{"status":500,"error":"Internal Server Error"}"#);
            assert!(answer.starts_with("Transient"), "{answer}");
            assert!(read(status, r#"{"error":"internal_error"}"#).starts_with("Transient"));
        }
        assert_eq!(read(400, "<html>"), r#"{"error":"http_400"}"#);
        assert_eq!(
            read(400, r#"{"error":{"code":"invalid_grant","extra":1},"x":{}}"#),
            r#"{"error":"invalid_grant"}"#
        );
    }

    #[test]
    fn what_is_neither() {
        assert_eq!(read(503, "<html>"), "Transient { cause: \"HTTP 503\", wait: None }");
        assert_eq!(read(429, "{}"), "Transient { cause: \"HTTP 429\", wait: None }");
        assert!(read(200, "<html>").starts_with("Malformed"));
        assert!(read(200, r#"{"access_token":"a","token_type":"mac"}"#).starts_with("Malformed"));
        assert!(read(200, r#"{"access_token":"a\r\nX: y"}"#).starts_with("Malformed"));
    }
}
