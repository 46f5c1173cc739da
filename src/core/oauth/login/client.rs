//! Who we are to the authorization server: a client that was configured, one that a document
//! describes, one that was registered before, or one that is registered now.

use bytes::Bytes;
use url::Url;

use super::{Server, Start, State, Step, device, redirect, transient};
use crate::config::ConfiguredClient;
use crate::core::event::HttpFailure;
use crate::core::oauth::discovery;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::metadata::ServerMetadata;
use crate::core::oauth::record::Registration;
use crate::core::oauth::registration::{self, Shape};
use crate::core::time::Moment;

use super::Entropy;

#[derive(Debug)]
pub(super) struct ExpectRegistration {
    server: Server,
    redirect_uri: String,
    shape: Shape,
    next: Next,
}

/// What the client is for.
#[derive(Debug)]
pub(super) enum Next {
    /// A browser on this machine.
    Browser(Entropy),
    /// A browser somewhere else.
    Device,
}

/// Who we are already.
pub(super) enum Identity {
    /// Nobody needs to be asked.
    Fixed(Registration),
    /// Registered in an earlier sign-in; the server may have forgotten it.
    Stored(Registration),
    /// Nobody.
    None,
}

/// Who we are at this server, in the order that MCP 2025-11-25 gives.
pub(super) fn identity(
    start: &Start,
    server: &Server,
    redirect_uri: &str,
    now: Moment,
) -> Identity {
    if let Some(client) = &start.options.client {
        return Identity::Fixed(configured(client, &server.metadata, redirect_uri));
    }
    if let Some(url) = document(start, &server.metadata) {
        return Identity::Fixed(Registration {
            auth_method: Some("none".to_owned()),
            ..Registration::new(url.to_owned(), redirect_uri)
        });
    }
    let known = start.known.as_ref().filter(|known| known.issuer == server.metadata.issuer);
    let valid = |client: &Registration| {
        client.redirect_uri == redirect_uri
            && client.secret_expires_at.is_none_or(|expires| now.unix < expires)
    };
    match known.map(|known| &known.client).filter(|client| valid(client)) {
        Some(client) => Identity::Stored(client.clone()),
        None => Identity::None,
    }
}

/// Refuses to take a client with a secret to another authorization server than the one that it has
/// signed in at: the gateway's metadata must not be able to send it there.
pub(super) fn check_home(start: &Start, metadata: &ServerMetadata) -> Result<(), SignInFailure> {
    let Some(client) = &start.options.client else { return Ok(()) };
    let secret = client.secret.is_some() || client.key.is_some();
    let Some(known) = start.known.as_ref().filter(|known| secret && known.client.id == client.id)
    else {
        return Ok(());
    };
    if discovery::same_issuer(&known.issuer, &metadata.issuer) {
        return Ok(());
    }
    Err(SignInFailure::ServerMisbehaved {
        subject: "the gateway".to_owned(),
        got: format!("names the authorization server `{}` now", metadata.issuer),
        expected: format!(
            "`{}`, to which the configured client belongs; if that is right, `login --force`",
            known.issuer
        ),
    })
}

/// The redirect URI for a port, with the name of loopback that was registered, if only that is
/// different: some servers know only one of the two.
pub(super) fn redirect_uri(start: &Start, metadata: &ServerMetadata, port: u16) -> String {
    let (host, path) = (&start.options.redirect_host, &start.options.callback_path);
    let wanted = format!("http://{host}:{port}{path}");
    let known = start.known.as_ref().filter(|known| known.issuer == metadata.issuer);
    let registered = known.map(|known| known.client.redirect_uri.clone());
    registered.filter(|uri| *uri == other_host(&wanted)).unwrap_or(wanted)
}

/// The ports to listen on, in order of preference: the one that is already registered, the one
/// that the user's allow-lists may know, any. A client that was not registered by this program
/// has one redirect URI, and no other will do.
pub(super) fn ports(start: &Start, metadata: &ServerMetadata) -> Vec<u16> {
    if let Some(port) = start.options.port {
        return vec![port];
    }
    if start.options.client.is_some() || document(start, metadata).is_some() {
        return vec![start.options.preferred_port];
    }
    let registered = start
        .known
        .as_ref()
        .filter(|known| known.issuer == metadata.issuer)
        .and_then(|known| Url::parse(&known.client.redirect_uri).ok())
        .and_then(|uri| uri.port());
    let ports = registered.into_iter().chain([start.options.preferred_port, 0]);
    ports.filter(|port| !browsers_refuse(*port)).collect()
}

/// Whether browsers open no page at this port, because another protocol is at home there (WHATWG
/// Fetch, port blocking): a redirect to it never lands. Those below 1024 are not for us anyway.
pub fn browsers_refuse(port: u16) -> bool {
    matches!(
        port,
        1719 | 1720 | 1723 | 2049 | 3659 | 4045 | 4190 | 5060 | 5061 | 6000 | 6566 | 6665
            ..=6669 | 6679 | 6697 | 10080
    )
}

/// A client that was registered beforehand, in the form that the grants need.
pub(super) fn configured(
    client: &ConfiguredClient,
    metadata: &ServerMetadata,
    redirect_uri: &str,
) -> Registration {
    let offered = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
    let offers = |method: &str| offered.iter().any(|offer| offer == method);
    let method = match client {
        ConfiguredClient { auth_method: Some(method), .. } => method,
        ConfiguredClient { key: Some(_), .. } => "private_key_jwt",
        ConfiguredClient { secret: None, .. } => "none",
        // RFC 8414 §2: without the list it is `client_secret_basic`.
        _ if offers("client_secret_post") && !offers("client_secret_basic") => "client_secret_post",
        _ => "client_secret_basic",
    };
    Registration {
        secret: client.secret.clone(),
        key: client.key.clone(),
        auth_method: Some(method.to_owned()),
        ..Registration::new(client.id.clone(), redirect_uri)
    }
}

/// The URL of a client metadata document, where the server knows such ids.
fn document<'a>(start: &'a Start, metadata: &ServerMetadata) -> Option<&'a str> {
    let url = start.options.client_metadata_url.as_deref()?;
    metadata.client_id_metadata_document_supported.then_some(url)
}

/// Registers us.
pub(super) fn register(
    start: &Start,
    server: Server,
    redirect_uri: String,
    next: Next,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    send(start, ExpectRegistration { server, redirect_uri, shape: Shape::Whole, next }, out)
}

fn send(
    start: &Start,
    expect: ExpectRegistration,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let ExpectRegistration { server, redirect_uri, shape, .. } = &expect;
    let Some(endpoint) = &server.metadata.registration_endpoint else {
        return Err(SignInFailure::ServerIncompatible {
            issuer: server.metadata.issuer.clone(),
            missing: "dynamic client registration (RFC 7591)",
        });
    };
    let endpoint = discovery::check_endpoint("registration_endpoint", endpoint, &start.server)?;
    let scope = server.resource.scope.as_deref();
    let body = registration::request(&server.metadata, &start.options, redirect_uri, scope, *shape);
    out.push(Step::Register(endpoint, body));
    Ok(State::ExpectRegistration(Box::new(expect)))
}

/// The registration was answered.
pub(super) fn registered(
    start: &Start,
    expect: ExpectRegistration,
    answer: Result<(u16, Bytes), HttpFailure>,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let (status, body) = answer.map_err(|f| transient("the client registration", &f))?;
    if expect.server.metadata.guessed && is_absent(status) {
        return Err(SignInFailure::NoSignIn {
            server: without_query(&start.server),
            lacks: match &start.challenge {
                None => "has no `WWW-Authenticate: Bearer`",
                Some(_) => "names no metadata",
            },
        });
    }
    let client = match registration::answer(status, &body, &expect.redirect_uri) {
        Ok(client) => client,
        Err(SignInFailure::Refused { error, .. })
            if expect.shape == Shape::Whole && error == "invalid_redirect_uri" =>
        {
            // Some servers know only one of the two names that loopback has.
            let redirect_uri = other_host(&expect.redirect_uri);
            return send(
                start,
                ExpectRegistration { redirect_uri, shape: Shape::Plain, ..expect },
                out,
            );
        }
        Err(SignInFailure::Refused { error, .. })
            if expect.shape == Shape::Whole && error == "invalid_client_metadata" =>
        {
            return send(start, ExpectRegistration { shape: Shape::Plain, ..expect }, out);
        }
        Err(failure) => return Err(failure),
    };
    match expect.next {
        Next::Browser(entropy) => redirect::open(start, expect.server, client, entropy, now, out),
        Next::Device => device::ask(start, expect.server, client, out),
    }
}

/// Whether a status says that nothing is there.
pub(super) fn is_absent(status: u16) -> bool {
    matches!(status, 404 | 405 | 410 | 501)
}

/// An address as a person may see it: a query may hold a secret.
pub(super) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

fn other_host(redirect_uri: &str) -> String {
    if redirect_uri.starts_with("http://localhost:") {
        redirect_uri.replacen("localhost", "127.0.0.1", 1)
    } else {
        redirect_uri.replacen("127.0.0.1", "localhost", 1)
    }
}
