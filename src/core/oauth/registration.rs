//! Registering as a client (RFC 7591).

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::failure::SignInFailure;
use super::metadata::ServerMetadata;
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
    if shape == Shape::Whole && metadata.device_authorization_endpoint.is_some() {
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
    let answer: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(as_text).filter(|text| !text.is_empty());
    if let Some(error) = text("error") {
        let description = text("error_description");
        return Err(SignInFailure::Refused { step: "the client registration", error, description });
    }
    if status == 429 || 500 <= status {
        return Err(SignInFailure::Transient {
            step: "the client registration",
            cause: format!("HTTP {status}"),
        });
    }
    let id = text("client_id").filter(|_| (200..300).contains(&status));
    let id = id.ok_or_else(|| malformed(status))?;
    let expires_at = answer.get("client_secret_expires_at").and_then(as_number);
    Ok(Registration {
        secret: text("client_secret").map(Secret::new),
        auth_method: text("token_endpoint_auth_method"),
        secret_expires_at: expires_at.filter(|at| *at != 0),
        ..Registration::new(id, &registered_uri(&answer, redirect_uri))
    })
}

/// The server may know loopback by its other name; then that one is what it will redirect to
/// (RFC 7591 §3.2.1: what it answers is what counts).
fn registered_uri(answer: &Map<String, Value>, asked: &str) -> String {
    let uris = answer.get("redirect_uris").and_then(Value::as_array).into_iter().flatten();
    let mut uris = uris.filter_map(Value::as_str);
    let same = |uri: &&str| {
        let host = |uri: &str| uri.replacen("//127.0.0.1:", "//localhost:", 1);
        host(uri) == host(asked)
    };
    uris.clone().find(|uri| *uri == asked).or_else(|| uris.find(same)).unwrap_or(asked).to_owned()
}

/// Some servers count what they should name.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn as_number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        Value::Number(number) => {
            number.as_f64().filter(|at| (0.0..1e15).contains(at)).map(|at| at as u64)
        }
        _ => None,
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
        // What the standard does not allow, and servers do.
        let odd = read(201, r#"{"client_id":42,"client_secret":null,"client_secret_expires_at":"9.0e3","redirect_uris":["http://localhost:1/cb"]}"#).unwrap();
        assert_eq!((odd.id.as_str(), odd.secret_expires_at), ("42", None));
        assert_eq!(odd.redirect_uri, "http://localhost:1/cb", "loopback by its other name");
        let odd = read(200, r#"{"client_id":"c","client_secret_expires_at":9000.0,"redirect_uris":["https://other/"]}"#).unwrap();
        assert_eq!(
            (odd.secret_expires_at, odd.redirect_uri.as_str()),
            (Some(9000), "http://127.0.0.1:1/cb")
        );
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
