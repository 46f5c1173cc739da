//! The kinds of requests that a fault can be confined to.

use http::Method;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Metadata of the authorization server.
    Asm,
    /// The authorization endpoint.
    Authorize,
    /// The way back from the consent page, which leads to the client's redirect URI.
    Callback,
    /// The device authorization endpoint.
    Device,
    /// A message to a Streamable HTTP endpoint, or the end of a session there.
    Http,
    /// Everything else at the gateway.
    Other,
    /// A page of the web origin.
    Page,
    /// A message of HTTP+SSE.
    Post,
    /// Resource metadata.
    Prm,
    /// The registration endpoint.
    Register,
    /// The revocation endpoint.
    Revoke,
    /// A GET that opens an event stream, of either transport.
    Sse,
    /// The token endpoint.
    Token,
}

impl Route {
    /// The kind of a request to the gateway.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let is_get = method == Method::GET;
        match path {
            "/oauth/token" | "/token" => Self::Token,
            "/authorize" => Self::Authorize,
            "/authorize/complete" => Self::Callback,
            "/register" => Self::Register,
            "/oauth/revoke" => Self::Revoke,
            "/oauth/device_authorization" => Self::Device,
            _ if path.starts_with("/mcp/") && path.ends_with("/messages") => Self::Post,
            _ if path.starts_with("/mcp/") && is_get => Self::Sse,
            _ if path.starts_with("/mcp/") => Self::Http,
            _ if path.starts_with("/.well-known/oauth-protected-resource") => Self::Prm,
            _ if path.contains("/.well-known/o") => Self::Asm,
            _ => Self::Other,
        }
    }

    /// The kind by its name in an order.
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(it, _)| *it == name).map(|(_, route)| *route)
    }

    /// Its name in an order.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, it)| *it == self).map_or("other", |(name, _)| name)
    }
}

/// What can stand behind the `@` of an order.
pub(crate) const NAMES: [(&str, Route); 12] = [
    ("token", Route::Token),
    ("authorize", Route::Authorize),
    ("register", Route::Register),
    ("prm", Route::Prm),
    ("asm", Route::Asm),
    ("sse", Route::Sse),
    ("post", Route::Post),
    ("http", Route::Http),
    ("callback", Route::Callback),
    ("device", Route::Device),
    ("revoke", Route::Revoke),
    ("page", Route::Page),
];
