//! What the documents of discovery say (RFC 9728 §2, RFC 8414 §2).
//!
//! A member of the wrong type is as good as absent, and nothing more: were it to make the whole
//! document unreadable, a slip in a member that nobody needs would choose another authorization
//! server.

use serde_json::{Map, Value};

/// Protected-resource metadata (RFC 9728 §2): the members that a client needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// The resource's identifier.
    pub resource: Option<String>,
    /// The issuers that give tokens for it.
    pub authorization_servers: Option<Vec<String>>,
    /// The scopes that there are.
    pub scopes_supported: Option<Vec<String>>,
}

/// Authorization-server metadata (RFC 8414 §2): the members that a client needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerMetadata {
    /// Who issues the tokens.
    pub issuer: String,
    /// Where a person signs in.
    pub authorization_endpoint: Option<String>,
    /// Where tokens are issued.
    pub token_endpoint: Option<String>,
    /// Where a person on another device is sent from (RFC 8628 §4).
    pub device_authorization_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// The scopes that there are.
    pub scopes_supported: Option<Vec<String>>,
    /// Whether a client's id may be the URL of a document about it.
    pub client_id_metadata_document_supported: bool,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<String>,
    /// The PKCE methods (RFC 7636).
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// How clients may authenticate.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether the redirect will carry `iss` (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether nobody has said any of this.
    pub guessed: bool,
}

impl ResourceMetadata {
    /// Reads a document; `None` if it is something else.
    pub fn read(body: &[u8]) -> Option<Self> {
        let document = Document::read(body)?;
        let metadata = Self {
            resource: document.text("resource"),
            authorization_servers: document.texts("authorization_servers"),
            scopes_supported: document.texts("scopes_supported"),
        };
        (metadata.resource.is_some() || metadata.authorization_servers.is_some())
            .then_some(metadata)
    }
}

impl ServerMetadata {
    /// Reads a document; `None` if it is something else.
    pub fn read(body: &[u8]) -> Option<Self> {
        let document = Document::read(body)?;
        Some(Self {
            issuer: document.text("issuer")?,
            authorization_endpoint: document.text("authorization_endpoint"),
            token_endpoint: document.text("token_endpoint"),
            device_authorization_endpoint: document.text("device_authorization_endpoint"),
            revocation_endpoint: document.text("revocation_endpoint"),
            scopes_supported: document.texts("scopes_supported"),
            client_id_metadata_document_supported: document
                .is_true("client_id_metadata_document_supported"),
            registration_endpoint: document.text("registration_endpoint"),
            code_challenge_methods_supported: document.texts("code_challenge_methods_supported"),
            token_endpoint_auth_methods_supported: document
                .texts("token_endpoint_auth_methods_supported"),
            authorization_response_iss_parameter_supported: document
                .is_true("authorization_response_iss_parameter_supported"),
            guessed: false,
        })
    }

    /// The endpoints of a server from before there was metadata (MCP 2025-03-26: default endpoints).
    pub fn without_document(issuer: &str) -> Self {
        let base = issuer.trim_end_matches('/');
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: Some(format!("{base}/authorize")),
            token_endpoint: Some(format!("{base}/token")),
            registration_endpoint: Some(format!("{base}/register")),
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            guessed: true,
            ..Self::default()
        }
    }
}

/// A JSON object whose members may be anything.
struct Document(Map<String, Value>);

impl Document {
    fn read(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        serde_json::from_slice(body).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_the_wrong_type_is_absent_and_no_more() {
        let resource = ResourceMetadata::read(
            br#"{"resource":7,"authorization_servers":["https://as.example",1],"scopes_supported":"x"}"#,
        );
        let resource = resource.unwrap();
        assert_eq!(resource.authorization_servers.unwrap(), ["https://as.example"]);
        assert_eq!((resource.resource, resource.scopes_supported), (None, None));
        let server = ServerMetadata::read(
            br#"{"issuer":"https://as.example","token_endpoint":["x"],"code_challenge_methods_supported":["plain"],
                "authorization_response_iss_parameter_supported":null,"registration_endpoint":"https://as.example/r"}"#,
        );
        let server = server.unwrap();
        assert_eq!(server.token_endpoint, None);
        assert_eq!(server.code_challenge_methods_supported.unwrap(), ["plain"]);
        assert!(!server.authorization_response_iss_parameter_supported);
        assert_eq!(server.registration_endpoint.as_deref(), Some("https://as.example/r"));
    }

    #[test]
    fn what_is_no_document() {
        for body in ["", "<html>", "[]", "7", r#"{"error":"not_found"}"#, r#"{"issuer":1}"#] {
            assert_eq!(ResourceMetadata::read(body.as_bytes()), None, "{body}");
            assert_eq!(ServerMetadata::read(body.as_bytes()), None, "{body}");
        }
    }
}
