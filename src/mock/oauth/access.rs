//! Who may use an MCP endpoint.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use super::{jwt, metadata};
use crate::mock::fault::{Fault, Route};
use crate::mock::log::note;
use crate::mock::plan::{Auth, Bearer, StepUp};
use crate::mock::state::{Mock, lock};

/// What is asked of an organisation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint {
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE: a message.
    Post,
    /// HTTP+SSE: the stream.
    Sse,
    /// Streamable HTTP: the stream that a GET opens.
    Stream,
}

impl Endpoint {
    fn path(self, org: &str) -> String {
        match self {
            Self::Http | Self::Stream => format!("/mcp/{org}"),
            Self::Post | Self::Sse => format!("/mcp/{org}/sse"),
        }
    }

    fn route(self) -> Route {
        match self {
            Self::Http => Route::Http,
            Self::Post => Route::Post,
            Self::Sse | Self::Stream => Route::Sse,
        }
    }
}

/// What a credential covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Every connector: API keys, and gateways that ask for no credentials.
    All,
    /// What the scope of a token says.
    Scope(String),
}

impl Access {
    /// Whether it covers a connector.
    fn covers(&self, connector: &str) -> bool {
        match self {
            Self::All => true,
            Self::Scope(scope) => scope.split(' ').any(|it| {
                it == metadata::DEFAULT_SCOPE || it.strip_prefix("mcp:call:") == Some(connector)
            }),
        }
    }
}

/// Why a request is not served.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The address of the caller is not on the list.
    Address,
    /// Another organisation's credential.
    Foreign,
    /// The token does not cover what is asked for; the challenge says what would.
    InsufficientScope(String),
    NoSuchOrg,
    /// Too many requests; perhaps with the seconds to wait.
    RateLimit(Option<u64>),
    /// No credential, or a bad one; with the challenge, unless the release knows none.
    Unauthorized(Option<String>),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let with = |status: StatusCode, challenge: String| {
            (status, [(header::WWW_AUTHENTICATE, challenge)], "not authorized\n").into_response()
        };
        match self {
            Self::Address => {
                (StatusCode::FORBIDDEN, "this address is not allowed\n").into_response()
            }
            Self::Foreign => {
                (StatusCode::FORBIDDEN, "this credential belongs to another organisation\n")
                    .into_response()
            }
            Self::InsufficientScope(challenge) => with(StatusCode::FORBIDDEN, challenge),
            Self::NoSuchOrg => {
                (StatusCode::NOT_FOUND, "there is no such organisation\n").into_response()
            }
            Self::RateLimit(seconds) => {
                let retry_after = seconds.map(|it| [(header::RETRY_AFTER, it.to_string())]);
                (StatusCode::TOO_MANY_REQUESTS, retry_after, "too many requests\n").into_response()
            }
            Self::Unauthorized(Some(challenge)) => with(StatusCode::UNAUTHORIZED, challenge),
            Self::Unauthorized(None) => {
                (StatusCode::UNAUTHORIZED, "not authorized\n").into_response()
            }
        }
    }
}

/// Admits a request to an endpoint of an organisation, or says why not.
pub(crate) fn admit(
    mock: &Mock,
    headers: &HeaderMap,
    org: &str,
    endpoint: Endpoint,
) -> Result<Access, Refusal> {
    if !mock.has_org(org) {
        return Err(Refusal::NoSuchOrg);
    }
    if let Some(refusal) = ordered(mock, org, endpoint) {
        return Err(refusal);
    }
    if mock.plan.auth == Auth::None {
        return Ok(Access::All);
    }
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    if let Some(key) = text("x-api-key") {
        let Some((owner, name)) = lock(&mock.tenants).use_key(key, mock.clock.now()) else {
            return Err(unauthorized(mock, org, endpoint, None));
        };
        let is_own = owner == org;
        let whose = if is_own { String::new() } else { format!(" of {owner}") };
        note(|entry| entry.caller = Some(format!("API key {name}{whose}")));
        return if is_own { Ok(Access::All) } else { Err(Refusal::Foreign) };
    }
    let Some((scheme, token)) = text("authorization").and_then(|it| it.split_once(' ')) else {
        return Err(unauthorized(mock, org, endpoint, None));
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unauthorized(mock, org, endpoint, None));
    }
    check_token(mock, token.trim(), org, endpoint)
}

/// Demands that a credential covers every connector that is about to be used.
pub(crate) fn require(
    mock: &Mock,
    access: &Access,
    org: &str,
    endpoint: Endpoint,
    mut connectors: impl Iterator<Item = &'static str>,
) -> Result<(), Refusal> {
    match connectors.find(|it| !access.covers(it)) {
        Some(connector) => {
            let mut scope = format!("mcp:call:{connector}");
            if let (StepUp::Union, Access::Scope(has)) = (mock.plan.step_up, access) {
                scope = format!("{has} {scope}");
            }
            Err(insufficient_scope(mock, org, endpoint, &scope))
        }
        None => Ok(()),
    }
}

/// The refusal that is ordered, if one is.
fn ordered(mock: &Mock, org: &str, endpoint: Endpoint) -> Option<Refusal> {
    let fault = mock.faults.take(endpoint.route(), |fault| match fault {
        Fault::Forbidden
        | Fault::InsufficientScope(_)
        | Fault::RateLimit(_)
        | Fault::Unauthorized
        | Fault::UnauthorizedWithoutChallenge => Some(fault.clone()),
        _ => None,
    })?;
    match fault {
        Fault::Forbidden => Some(Refusal::Address),
        Fault::InsufficientScope(scope) => Some(insufficient_scope(mock, org, endpoint, &scope)),
        Fault::RateLimit(seconds) => Some(Refusal::RateLimit(seconds)),
        Fault::Unauthorized => Some(unauthorized(mock, org, endpoint, Some("invalid_token"))),
        _ => Some(Refusal::Unauthorized(None)),
    }
}

fn check_token(
    mock: &Mock,
    bearer: &str,
    org: &str,
    endpoint: Endpoint,
) -> Result<Access, Refusal> {
    let now = mock.clock.now().as_secs();
    let opens = |kind: jwt::Kind| match mock.plan.bearer {
        Bearer::AccessToken => kind == jwt::Kind::Access,
        Bearer::Either => true,
        Bearer::IdToken => kind == jwt::Kind::Id,
    };
    let token = jwt::verify(&mock.keys, bearer).filter(|(kind, it)| {
        opens(*kind)
            && it.iss == mock.issuer
            && now < it.exp
            && lock(&mock.grants).is_current(&it.jti)
    });
    let (owner, user, scope) = if let Some((_, claims)) = token {
        note(|entry| entry.client_id = Some(claims.client_id));
        (claims.org, claims.sub, claims.scope)
    } else {
        let mut providers = mock.plan.identity_providers.iter();
        let Some(it) = providers.find_map(|it| it.verify(bearer, mock.clock.now())) else {
            return Err(unauthorized(mock, org, endpoint, Some("invalid_token")));
        };
        (it.org.to_owned(), it.user, it.scope)
    };
    note(|entry| entry.caller = Some(user));
    // The product binds a token to an organisation: its audience may be either endpoint of it.
    if owner != org {
        return Err(Refusal::Foreign);
    }
    Ok(Access::Scope(scope))
}

fn unauthorized(
    mock: &Mock,
    org: &str,
    endpoint: Endpoint,
    error: Option<&'static str>,
) -> Refusal {
    let ordered = mock.faults.take(endpoint.route(), |fault| match fault {
        Fault::Challenge(raw) => Some(raw.clone()),
        _ => None,
    });
    if let Some(raw) = ordered {
        return Refusal::Unauthorized(raw);
    }
    let known = !mock.plan.old_release;
    let scope = mock.plan.challenge_scope.as_deref();
    Refusal::Unauthorized(known.then(|| challenge(mock, org, endpoint, error, scope)))
}

fn insufficient_scope(mock: &Mock, org: &str, endpoint: Endpoint, scope: &str) -> Refusal {
    let error = Some("insufficient_scope");
    Refusal::InsufficientScope(challenge(mock, org, endpoint, error, Some(scope)))
}

/// RFC 9728 5.1 and RFC 6750 3.
fn challenge(
    mock: &Mock,
    org: &str,
    endpoint: Endpoint,
    error: Option<&str>,
    scope: Option<&str>,
) -> String {
    let path = endpoint.path(org);
    let document = mock
        .plan
        .resource_metadata
        .then(|| format!("{}/.well-known/oauth-protected-resource{path}", mock.base_url));
    let parameters: Vec<String> =
        [("error", error), ("resource_metadata", document.as_deref()), ("scope", scope)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}=\"{}\"", value?)))
            .collect();
    format!("Bearer {}", parameters.join(", ")).trim_end().to_owned()
}
