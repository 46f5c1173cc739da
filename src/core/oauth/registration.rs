//! Registering as a client (RFC 7591).

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::discovery::ServerMetadata;
use super::failure::SignInFailure;
use super::record::Registration;
use crate::config::LoginOptions;
use crate::core::event::HttpFailure;
use crate::secret::Secret;

/// How much a registration request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All that a server may want to know.
    Whole,
    /// What it has to know: some refuse members that they do not know.
    Plain,
}

/// RFC 8628 §3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The body of a registration request (RFC 7591 §2).
pub fn request(
    metadata: &ServerMetadata,
    options: &LoginOptions,
    redirect_uri: &str,
    scope: Option<&str>,
    shape: Shape,
) -> Bytes {
    let mut grants = vec!["authorization_code", "refresh_token"];
    if metadata.device_authorization_endpoint.is_some() {
        grants.push(DEVICE_GRANT);
    }
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("client_name", json!("ApexMCP Bridge"));
    set("redirect_uris", json!([redirect_uri]));
    set("grant_types", json!(grants));
    set("response_types", json!(["code"]));
    set("token_endpoint_auth_method", json!(auth_method(metadata)));
    if shape == Shape::Whole {
        // OpenID registration takes a client without it for a web application, and refuses
        // loopback redirects to one.
        set("application_type", json!("native"));
        set("software_id", json!("apexmcp-bridge"));
        set("software_version", json!(env!("CARGO_PKG_VERSION")));
        if let Some(scope) = scope {
            set("scope", json!(scope));
        }
    }
    // The user's own words are the last ones.
    for (name, value) in &options.registration {
        set(name, value.clone());
    }
    Value::Object(body).to_string().into()
}

/// A native program keeps no secret, so `none` where the server lets us.
fn auth_method(metadata: &ServerMetadata) -> &str {
    let known = ["none", "client_secret_post", "client_secret_basic"];
    match &metadata.token_endpoint_auth_methods_supported {
        Some(offered) => known
            .into_iter()
            .find(|method| offered.iter().any(|offer| offer == method))
            .unwrap_or("none"),
        None => "none",
    }
}

/// Reads a registration answer (RFC 7591 §3.2).
pub fn answer(status: u16, body: &[u8], redirect_uri: &str) -> Result<Registration, SignInFailure> {
    #[derive(Deserialize)]
    struct Answer {
        client_id: Option<String>,
        client_secret: Option<String>,
        client_secret_expires_at: Option<u64>,
        token_endpoint_auth_method: Option<String>,
        error: Option<String>,
        error_description: Option<String>,
    }
    let answer = serde_json::from_slice::<Answer>(body).ok();
    match answer {
        Some(Answer { client_id: Some(id), error: None, .. }) if id.is_empty() => {
            Err(malformed(status))
        }
        Some(answer) if (200..300).contains(&status) && answer.error.is_none() => {
            let id = answer.client_id.ok_or_else(|| malformed(status))?;
            Ok(Registration {
                id,
                secret: answer.client_secret.map(Secret::new),
                auth_method: answer.token_endpoint_auth_method,
                redirect_uri: redirect_uri.to_owned(),
                secret_expires_at: answer.client_secret_expires_at.filter(|at| *at != 0),
                key: None,
            })
        }
        Some(Answer { error: Some(error), error_description: description, .. }) => {
            Err(SignInFailure::Refused { step: "the client registration", error, description })
        }
        _ if status == 429 || 500 <= status => Err(SignInFailure::Transient {
            step: "the client registration",
            cause: format!("HTTP {status}"),
        }),
        _ => Err(malformed(status)),
    }
}

fn malformed(status: u16) -> SignInFailure {
    SignInFailure::ServerMisbehaved {
        subject: "the registration endpoint".to_owned(),
        got: format!("answered HTTP {status} without a client"),
        expected: "`client_id` (RFC 7591 §3.2.1)".to_owned(),
    }
}

/// Whether an authorization endpoint says that it does not know this client: such an answer must
/// not be a redirect (RFC 6749 §4.1.2.1), so it is an error page, or JSON with an error code.
pub fn is_forgotten(answer: Result<&(u16, Bytes), &HttpFailure>) -> bool {
    let Ok((400..=404, body)) = answer else { return false };
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    ["invalid_client", "unauthorized_client", "unknown client", "client not found"]
        .iter()
        .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let read = |status, body: &str| answer(status, body.as_bytes(), "http://127.0.0.1:1/cb");
        let registration = read(201, r#"{"client_id":"c","client_secret_expires_at":0}"#).unwrap();
        assert_eq!((registration.id.as_str(), registration.secret_expires_at), ("c", None));
        assert!(read(200, r#"{"client_id":"c","client_secret":"s"}"#).unwrap().secret.is_some());
        assert!(matches!(
            read(400, r#"{"error":"invalid_redirect_uri"}"#),
            Err(SignInFailure::Refused { error, .. }) if error == "invalid_redirect_uri"
        ));
        assert!(matches!(read(503, "<html>"), Err(SignInFailure::Transient { .. })));
        assert!(matches!(read(429, "{}"), Err(SignInFailure::Transient { .. })));
        assert!(matches!(read(201, "{}"), Err(SignInFailure::ServerMisbehaved { .. })));
        assert!(matches!(
            read(201, r#"{"client_id":""}"#),
            Err(SignInFailure::ServerMisbehaved { .. })
        ));
        assert!(matches!(read(404, ""), Err(SignInFailure::ServerMisbehaved { .. })));
    }

    #[test]
    fn a_native_client_asks_for_no_secret_unless_it_must() {
        let method = |offered: Option<&[&str]>| {
            let offered = offered.map(|list| list.iter().map(|m| (*m).to_owned()).collect());
            let metadata = ServerMetadata {
                token_endpoint_auth_methods_supported: offered,
                ..ServerMetadata::default()
            };
            auth_method(&metadata).to_owned()
        };
        assert_eq!(method(None), "none");
        assert_eq!(method(Some(&["client_secret_basic", "none"])), "none");
        assert_eq!(
            method(Some(&["client_secret_basic", "client_secret_post"])),
            "client_secret_post"
        );
        assert_eq!(method(Some(&["private_key_jwt"])), "none");
    }
}
