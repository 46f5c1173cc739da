//! What mcp-remote has left of a sign-in, and what of it can be used safely.
//!
//! Its files do not say where the refresh token may be sent, and only since 0.15 who issued it.
//! So an imported [`Record`] has no token endpoint: a renewal finds it first, by the issuer's own
//! metadata. Where the issuer is neither written down nor named by the tokens themselves, a refresh
//! token is not imported at all: the metadata of today could lead it to somebody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::discovery::same_issuer;
use super::record::{Record, Registration, Tokens};
use crate::secret::Secret;

/// The content of `…_tokens.json`.
#[derive(Debug)]
pub struct LegacyTokens {
    access: Secret,
    refresh: Option<Secret>,
    id_token: Option<Secret>,
    scope: Option<String>,
    /// As mcp-remote wrote it down.
    issuer: Option<String>,
    /// As one of the tokens says.
    named_issuer: Option<String>,
    lifetime: Option<u64>,
    /// In seconds since 1970.
    expires_at: Option<u64>,
}

/// The content of `…_client_info.json`.
#[derive(Debug)]
pub struct LegacyClient {
    registration: Registration,
    issuer: Option<String>,
}

/// For what a sign-in is imported.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    /// The MCP endpoint, as configured.
    pub server: &'a str,
    /// The id of a client that is configured: mcp-remote uses it, and stores no client then.
    pub client: Option<&'a str>,
    /// The client metadata document: its URL is the id where no client had to be registered.
    pub client_document: Option<&'a str>,
    /// Whether the ID token is sent in place of the access token.
    pub use_id_token: bool,
    /// When the tokens were written, in seconds since 1970.
    pub written_at: u64,
    /// Now, in seconds since 1970.
    pub now: u64,
}

impl LegacyTokens {
    /// Reads the file; `None` if it is none of mcp-remote's.
    pub fn read(file: &[u8]) -> Option<Self> {
        let file: Map<String, Value> = serde_json::from_slice(file).ok()?;
        if let Some(kind) = file.get("token_type")
            && !kind.as_str()?.eq_ignore_ascii_case("bearer")
        {
            return None;
        }
        let access = text(&file, "access_token").filter(|token| is_token(token))?;
        let refresh = text(&file, "refresh_token").filter(|token| is_visible(token));
        let id_token = text(&file, "id_token").filter(|token| is_token(token));
        let named = |token: &str| text(&claims(token)?, "iss").map(str::to_owned);
        Some(Self {
            named_issuer: [id_token, Some(access)].into_iter().flatten().find_map(named),
            id_token: id_token.map(|token| Secret::new(token.to_owned())),
            access: Secret::new(access.to_owned()),
            refresh: refresh.map(|token| Secret::new(token.to_owned())),
            scope: text(&file, "scope").map(str::to_owned),
            issuer: text(&file, "issuer").map(str::to_owned),
            lifetime: seconds(file.get("expires_in"), 1.0),
            expires_at: seconds(file.get("expires_at"), 1000.0),
        })
    }

    /// What two programs must not use both: the refresh token, or the access token without one.
    pub fn chain(&self) -> &Secret {
        self.refresh.as_ref().unwrap_or(&self.access)
    }

    fn tokens(self, import: Import<'_>, may_refresh: bool) -> Option<Tokens> {
        let refresh = self.refresh.filter(|_| may_refresh);
        let (access, expires_at) = match self.id_token.filter(|_| import.use_id_token) {
            Some(token) => {
                let end = claims(token.expose()).and_then(|claims| seconds(claims.get("exp"), 1.0));
                (token, end)
            }
            None => (self.access, self.expires_at),
        };
        let obtained_at = match (self.expires_at, self.lifetime) {
            (Some(end), Some(lifetime)) => end.saturating_sub(lifetime),
            _ => import.written_at,
        };
        let obtained_at = obtained_at.min(import.now);
        // Of an unknown age: it is renewed before it is used, where that is possible.
        let expires_at = expires_at.or(refresh.as_ref().map(|_| obtained_at));
        let is_dead = refresh.is_none() && expires_at.is_some_and(|end| end <= import.now);
        (!is_dead).then_some(Tokens { access, refresh, scope: self.scope, obtained_at, expires_at })
    }
}

impl LegacyClient {
    /// Reads the file; `None` if it is none of mcp-remote's.
    pub fn read(file: &[u8]) -> Option<Self> {
        let file: Map<String, Value> = serde_json::from_slice(file).ok()?;
        let redirects = file.get("redirect_uris").and_then(Value::as_array);
        let redirect = redirects.and_then(|uris| uris.first()?.as_str());
        Some(Self {
            registration: Registration {
                id: text(&file, "client_id")?.to_owned(),
                secret: text(&file, "client_secret").map(|secret| Secret::new(secret.to_owned())),
                auth_method: text(&file, "token_endpoint_auth_method").map(str::to_owned),
                redirect_uri: redirect.unwrap_or_default().to_owned(),
                secret_expires_at: seconds(file.get("client_secret_expires_at"), 1.0)
                    .filter(|at| *at != 0),
                key: None,
            },
            issuer: text(&file, "issuer").map(str::to_owned),
        })
    }
}

/// What can be used of both files; `None` if nothing can.
///
/// - Files of two issuers do not belong together.
/// - A refresh token needs its issuer and the client that it was issued to (RFC 6749 §6).
/// - A registration needs its issuer: its secret is nobody else's business.
/// - An access token needs neither: it goes to the one server that it was stored for.
pub fn record(
    import: Import<'_>,
    tokens: Option<LegacyTokens>,
    client: Option<LegacyClient>,
) -> Option<Record> {
    let stored = tokens.as_ref().and_then(|tokens| tokens.issuer.clone());
    let registered_at = client.as_ref().and_then(|client| client.issuer.clone());
    if let (Some(left), Some(right)) = (&stored, &registered_at)
        && !same_issuer(left, right)
    {
        return None;
    }
    let named = || tokens.as_ref().and_then(|tokens| tokens.named_issuer.clone());
    let issuer = stored.or(registered_at).or_else(named);
    let registered = client.map(|client| client.registration);
    let client = client_of(import, registered.clone()).filter(|_| issuer.is_some());
    let tokens = tokens.and_then(|tokens| tokens.tokens(import, client.is_some()));
    // A client that is configured needs no import.
    if tokens.is_none() && (registered.is_none() || issuer.is_none()) {
        return None;
    }
    Some(Record {
        version: 1,
        generation: 1,
        server: import.server.to_owned(),
        issuer: issuer.unwrap_or_default(),
        token_endpoint: String::new(),
        revocation_endpoint: None,
        // Without a redirect URI the next sign-in registers.
        client: client.unwrap_or_else(|| Registration::new(String::new(), "")),
        resource: None,
        tokens,
        pending_since: None,
    })
}

/// The client that mcp-remote's tokens were issued to, by its own order.
fn client_of(import: Import<'_>, registered: Option<Registration>) -> Option<Registration> {
    let configured = import.client.map(|id| Registration::new(id.to_owned(), ""));
    let documented = || {
        let auth_method = Some("none".to_owned());
        let id = import.client_document?.to_owned();
        Some(Registration { auth_method, ..Registration::new(id, "") })
    };
    configured.or(registered).or_else(documented)
}

/// What a JSON Web Token says (RFC 7519 §4.1). Nobody has verified it, and nobody needs to: its
/// `iss` only ever narrows down where a refresh token may go, and its `exp` is a hint.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// A member that is text and not empty.
fn text<'a>(file: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    file.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// A number, perhaps as text, in units of which there are `per_second`; nonsense is unknown.
fn seconds(value: Option<&Value>, per_second: f64) -> Option<u64> {
    let number = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let seconds = number / per_second;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    (0.0..1e12).contains(&seconds).then_some(seconds as u64)
}

/// RFC 6750 §2.1: anything else could break out of its header.
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

/// RFC 6749 appendix A.17.
fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

#[cfg(test)]
mod tests;
