//! Finding the authorization server: which documents to ask for, and what to believe of them
//! (RFC 9728, RFC 8414, OpenID Connect Discovery 1.0).

use url::Url;

use super::failure::SignInFailure;
use super::metadata::{ResourceMetadata, ServerMetadata};

/// Where the protected-resource metadata may be, in the order to ask (RFC 9728 §3.1, §5.1).
pub fn resource_metadata_urls(server: &Url, advertised: Option<&str>) -> Vec<Url> {
    let mut urls = Vec::new();
    if let Some(text) = advertised.filter(|text| is_at_home(text, server)) {
        urls.extend(Url::parse(text));
    }
    let path = server.path().trim_end_matches('/');
    for path in [path, ""] {
        let mut url = server.clone();
        url.set_fragment(None);
        url.set_path(&format!("/.well-known/oauth-protected-resource{path}"));
        if path.is_empty() {
            url.set_query(None);
        }
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Whether a URL is on the server's own origin.
pub fn is_at_home(url: &str, server: &Url) -> bool {
    Url::parse(url).is_ok_and(|url| url.origin() == server.origin())
}

/// Where the metadata of `issuer` may be, in the order to ask (RFC 8414 §3.1, §5; MCP 2025-11-25).
pub fn server_metadata_urls(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let inserted = |kind: &str| format!("/.well-known/{kind}{path}");
    let mut paths = vec![inserted("oauth-authorization-server"), inserted("openid-configuration")];
    if !path.is_empty() {
        paths.push(format!("{path}/.well-known/openid-configuration"));
    }
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    paths.into_iter().map(at).collect()
}

/// Refuses metadata of another resource (RFC 9728 §3.3).
///
/// The same origin with a path above the endpoint's is accepted: one document for many endpoints
/// is common practice, and the later drafts allow it.
pub fn check_resource(metadata: &ResourceMetadata, server: &Url) -> Result<(), SignInFailure> {
    let Some(resource) = &metadata.resource else { return Ok(()) };
    let covers = |resource: &Url| {
        let base = resource.path().trim_end_matches('/');
        resource.origin() == server.origin()
            && resource.fragment().is_none()
            && resource.query().is_none_or(|query| server.query() == Some(query))
            && server
                .path()
                .strip_prefix(base)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if Url::parse(resource).is_ok_and(|resource| covers(&resource)) {
        return Ok(());
    }
    Err(SignInFailure::ServerMisbehaved {
        subject: "the protected-resource metadata".to_owned(),
        got: format!("is about `{resource}`"),
        expected: format!("`{server}` (RFC 9728 §3.3)"),
    })
}

/// Refuses metadata that another issuer wrote (RFC 8414 §3.3); one trailing slash may differ.
pub fn check_issuer(metadata: &ServerMetadata, asked: &str) -> Result<(), SignInFailure> {
    if same_issuer(&metadata.issuer, asked) {
        return Ok(());
    }
    Err(SignInFailure::ServerMisbehaved {
        subject: format!("the metadata of `{asked}`"),
        got: format!("names the issuer `{}`", metadata.issuer),
        expected: format!("`{asked}` (RFC 8414 §3.3)"),
    })
}

/// Whether two texts name one issuer; one trailing slash may differ.
pub fn same_issuer(left: &str, right: &str) -> bool {
    left.strip_suffix('/').unwrap_or(left) == right.strip_suffix('/').unwrap_or(right)
}

/// Refuses a server without PKCE S256 (RFC 7636; MCP: a client must).
///
/// An OpenID Connect document often lacks the member although the server knows PKCE; where it
/// `may_lack` it, that only earns a warning, which is returned.
pub fn check_pkce(
    metadata: &ServerMetadata,
    may_lack: bool,
) -> Result<Option<String>, SignInFailure> {
    match &metadata.code_challenge_methods_supported {
        Some(methods) if methods.iter().any(|method| method == "S256") => Ok(None),
        None if may_lack => Ok(Some(format!(
            "the metadata of `{}` does not say whether it knows PKCE; going on with S256",
            metadata.issuer
        ))),
        methods => Err(SignInFailure::ServerMisbehaved {
            subject: format!("the authorization server at `{}`", metadata.issuer),
            got: match methods {
                None => "does not say which PKCE methods it knows".to_owned(),
                Some(methods) => format!("knows only the PKCE methods {methods:?}"),
            },
            expected: "`S256` in `code_challenge_methods_supported`".to_owned(),
        }),
    }
}

/// A URL that was learned from the network and will be sent secrets or a person: `https`, or
/// `http` on loopback when the gateway itself is on loopback.
pub fn check_endpoint(name: &str, url: &str, server: &Url) -> Result<Url, SignInFailure> {
    let refuse = |got: &str| SignInFailure::ServerMisbehaved {
        subject: format!("`{name}`"),
        got: format!("{got}: `{url}`"),
        expected: "an `https` URL without user name and fragment".to_owned(),
    };
    let parsed = Url::parse(url).map_err(|_| refuse("is no URL"))?;
    let local = is_loopback(&parsed) && is_loopback(server);
    match parsed.scheme() {
        _ if !parsed.username().is_empty() || parsed.password().is_some() => {
            Err(refuse("holds a user name"))
        }
        "https" if is_loopback(&parsed) && !is_loopback(server) => {
            Err(refuse("points to this machine"))
        }
        "https" => Ok(parsed),
        "http" if local => Ok(parsed),
        _ => Err(refuse("is not `https`")),
    }
}

/// Whether the URL's host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn texts(urls: &[Url]) -> Vec<&str> {
        urls.iter().map(Url::as_str).collect()
    }

    #[test]
    fn resource_metadata_is_asked_for_in_order() {
        let server = url("https://mcp.example/mcp/acme/sse?x=1");
        assert_eq!(
            texts(&resource_metadata_urls(&server, Some("https://mcp.example/custom"))),
            [
                "https://mcp.example/custom",
                "https://mcp.example/.well-known/oauth-protected-resource/mcp/acme/sse?x=1",
                "https://mcp.example/.well-known/oauth-protected-resource",
            ]
        );
        let foreign = resource_metadata_urls(&server, Some("https://evil.example/custom"));
        assert_eq!(foreign.len(), 2, "a foreign document is not asked for: {foreign:?}");
        assert_eq!(resource_metadata_urls(&url("https://a.example/"), None).len(), 1);
    }

    #[test]
    fn server_metadata_is_asked_for_in_order() {
        assert_eq!(
            texts(&server_metadata_urls(&url("https://as.example/tenant1"))),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant1",
                "https://as.example/.well-known/openid-configuration/tenant1",
                "https://as.example/tenant1/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            texts(&server_metadata_urls(&url("https://as.example"))),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn the_resource_must_cover_the_endpoint() {
        let server = url("https://mcp.example/mcp/acme/sse?x=1");
        let covered = |resource: &str| {
            let metadata = ResourceMetadata {
                resource: Some(resource.to_owned()),
                ..ResourceMetadata::default()
            };
            check_resource(&metadata, &server).is_ok()
        };
        for resource in [
            "https://mcp.example/mcp/acme/sse",
            "https://mcp.example/mcp/acme",
            "https://mcp.example/mcp/acme/",
            "https://mcp.example",
            "https://MCP.example/",
            "https://mcp.example/mcp/acme/sse?x=1",
        ] {
            assert!(covered(resource), "{resource}");
        }
        for resource in [
            "https://mcp.example/mcp/acm",
            "https://mcp.example/mcp/globex/sse",
            "https://mcp.example:8443/mcp/acme/sse",
            "http://mcp.example/mcp/acme/sse",
            "https://evil.example/mcp/acme/sse",
            "https://mcp.example/mcp/acme/sse?x=2",
            "https://mcp.example/mcp/acme/sse#x",
            "not a url",
        ] {
            assert!(!covered(resource), "{resource}");
        }
    }

    #[test]
    fn issuers_are_compared_as_text() {
        let check = |issuer: &str, asked: &str| {
            let metadata =
                ServerMetadata { issuer: issuer.to_owned(), ..ServerMetadata::default() };
            check_issuer(&metadata, asked).is_ok()
        };
        assert!(check("https://as.example", "https://as.example"));
        assert!(check("https://as.example/", "https://as.example"));
        assert!(!check("https://AS.example", "https://as.example"));
        assert!(!check("https://as.example/t", "https://as.example"));
        assert!(!check("", "https://as.example"));
    }

    #[test]
    fn pkce_is_not_negotiable() {
        let check = |methods: Option<&[&str]>, openid| {
            let methods =
                methods.map(|list| list.iter().map(|method| (*method).to_owned()).collect());
            let metadata = ServerMetadata {
                code_challenge_methods_supported: methods,
                ..ServerMetadata::default()
            };
            check_pkce(&metadata, openid).map(|warning| warning.is_some())
        };
        assert_eq!(check(Some(&["plain", "S256"]), false), Ok(false));
        assert!(check(Some(&["plain"]), true).is_err());
        assert!(check(Some(&[]), false).is_err());
        assert!(check(None, false).is_err());
        assert_eq!(check(None, true), Ok(true));
    }

    #[test]
    fn endpoints_must_be_safe_to_send_people_and_secrets_to() {
        let public = url("https://mcp.example/sse");
        let local = url("http://127.0.0.1:1234/sse");
        let check = |text: &str, server| check_endpoint("token_endpoint", text, server).is_ok();
        assert!(check("https://as.example/token", &public));
        assert!(check("http://127.0.0.1:9/token", &local));
        assert!(check("http://localhost:9/token", &local));
        assert!(check("http://[::1]:9/token", &local));
        for bad in [
            "http://as.example/token",
            "http://127.0.0.1/token",
            "https://localhost/token",
            "https://2130706433/token",
            "https://[::ffff:127.0.0.1]/token",
            "https://user@as.example/token",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "token",
        ] {
            assert!(!check(bad, &public), "{bad}");
        }
        assert!(!check("http://10.0.0.1/token", &local));
    }
}
