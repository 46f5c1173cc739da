//! A person signs in with a browser on another machine (RFC 8628).

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use super::client::{self, Identity, Next};
use super::tokens::{self, ExpectTokens};
use super::{Claim, Resource, Server, Start, State, Step, transient, without_client};
use crate::config::Way;
use crate::core::event::{HttpFailure, Notice};
use crate::core::oauth::discovery;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::grant::{
    Grant, GrantAnswer, GrantFailure, GrantKind, client_authentication,
};
use crate::core::oauth::metadata::ServerMetadata;
use crate::core::oauth::record::Registration;
use crate::core::time::Moment;
use crate::secret::Secret;

/// RFC 8628 §3.2: what to do where the server names no interval.
const INTERVAL: u64 = 5;
/// RFC 8628 §3.5: how much slower `slow_down` means.
const SLOWER: u64 = 5;
/// No server asks for less or more; what does is a mistake.
const INTERVALS: std::ops::RangeInclusive<u64> = 1..=60;
/// How long a code may live, in seconds.
const LONGEST_LIFE: u64 = 3600;

#[derive(Debug)]
pub(super) struct ExpectDeviceCode {
    server: Server,
    client: Registration,
}

#[derive(Debug)]
pub(super) struct ExpectDevice {
    server: Server,
    client: Registration,
    code: Secret,
    pub(super) invitation: String,
    interval: u64,
    deadline: Duration,
}

/// Whether the person uses a browser somewhere else: because the user says so, or because there is
/// none here and the server offers it.
pub(super) fn is_wanted(start: &Start, metadata: &ServerMetadata) -> bool {
    match start.options.way {
        Way::Device => true,
        Way::Browser => start.options.headless && metadata.device_authorization_endpoint.is_some(),
        Way::Client { .. } => false,
    }
}

/// Begins, as whoever we are.
pub(super) fn begin(
    start: &Start,
    server: Server,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    // Before a client is registered for nothing.
    endpoint(&server.metadata, start)?;
    // Nobody is redirected, but many servers register no client without a redirect URI.
    let known = start.known.as_ref().map(|known| known.client.redirect_uri.clone());
    let redirect_uri = known.filter(|uri| !uri.is_empty()).unwrap_or_else(|| {
        let options = &start.options;
        let (host, port) = (&options.redirect_host, options.port.unwrap_or(options.preferred_port));
        format!("http://{host}:{port}{}", options.callback_path)
    });
    match client::identity(start, &server, &redirect_uri, now) {
        Identity::Fixed(client) | Identity::Stored(client) => ask(start, server, client, out),
        Identity::None => client::register(start, server, redirect_uri, Next::Device, out),
    }
}

/// Asks for a code (RFC 8628 §3.1).
pub(super) fn ask(
    start: &Start,
    server: Server,
    client: Registration,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let endpoint = endpoint(&server.metadata, start)?;
    let (authorization, form) = request(&server.resource, &client);
    out.push(Step::Form(endpoint, authorization, form));
    Ok(State::ExpectDeviceCode(Box::new(ExpectDeviceCode { server, client })))
}

fn endpoint(metadata: &ServerMetadata, start: &Start) -> Result<Url, SignInFailure> {
    let Some(endpoint) = &metadata.device_authorization_endpoint else {
        return Err(SignInFailure::ServerIncompatible {
            issuer: metadata.issuer.clone(),
            missing: "a device authorization endpoint (RFC 8628)",
        });
    };
    discovery::check_endpoint("device_authorization_endpoint", endpoint, &start.server)
}

fn request(resource: &Resource, client: &Registration) -> (Option<HeaderValue>, Secret) {
    let (authorization, mut form) = client_authentication(client);
    for (name, value) in [("scope", &resource.scope), ("resource", &resource.id)] {
        if let Some(value) = value {
            form.append_pair(name, value);
        }
    }
    if authorization.is_some() {
        // RFC 8628 §3.1 wants it wherever nothing else says who asks, and nobody minds it.
        form.append_pair("client_id", &client.id);
    }
    (authorization, Secret::new(form.finish()))
}

/// The answer of RFC 8628 §3.2; some servers still say `verification_url`.
#[derive(Deserialize)]
struct Answer {
    device_code: Option<Secret>,
    user_code: Option<String>,
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    #[serde(alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    expires_in: Option<u64>,
    interval: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// The server has a code for us.
pub(super) fn invited(
    start: &Start,
    expect: ExpectDeviceCode,
    answer: Result<(u16, Bytes), HttpFailure>,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let step = "the device code";
    let (status, body) = answer.map_err(|failure| transient(step, &failure))?;
    let ExpectDeviceCode { server, client } = expect;
    let malformed = || SignInFailure::ServerMisbehaved {
        subject: "the device authorization endpoint".to_owned(),
        got: format!("answered HTTP {status} without a code"),
        expected: "`device_code`, `user_code` and `verification_uri` (RFC 8628 §3.2)".to_owned(),
    };
    let answer: Answer = match serde_json::from_slice(&body) {
        Ok(answer) => answer,
        Err(_) if status == 429 || 500 <= status => {
            return Err(SignInFailure::Transient { step, cause: format!("HTTP {status}") });
        }
        Err(_) => return Err(malformed()),
    };
    if let Some(error) = answer.error {
        let refused = Err(GrantFailure::Refused { error: error.clone(), description: None });
        if tokens::is_forgotten(start, &client, &refused) {
            let start = without_client(start.clone());
            return begin(&start, server, now, out);
        }
        return Err(SignInFailure::Refused {
            step: "the request for a device code",
            error,
            description: answer.error_description,
        });
    }
    let (Some(code), Some(user_code), Some(uri)) =
        (answer.device_code, answer.user_code, answer.verification_uri)
    else {
        return Err(malformed());
    };
    // A person will open it: it must be a page, and not something that runs.
    let check = |uri: &str| discovery::check_endpoint("verification_uri", uri, &start.server);
    let uri = check(&uri)?;
    let complete = answer.verification_uri_complete.and_then(|uri| check(&uri).ok());
    let invitation = invitation(&uri, complete.as_ref(), &user_code);
    let limit = start.options.timeout_seconds.min(LONGEST_LIFE);
    let life = answer.expires_in.map_or(limit, |life| life.min(limit));
    let interval = answer.interval.unwrap_or(INTERVAL);
    let expect = ExpectDevice {
        server,
        client,
        code,
        invitation: invitation.clone(),
        interval: interval.clamp(*INTERVALS.start(), *INTERVALS.end()),
        deadline: now.after(Duration::from_secs(life)),
    };
    out.push(Step::Claim(Some(Claim::Device {
        invitation: invitation.clone(),
        expires_at: now.unix.saturating_add(life),
    })));
    out.push(Step::Tell(Notice::SignIn(invitation)));
    Ok(poll(expect, out))
}

fn invitation(uri: &Url, complete: Option<&Url>, user_code: &str) -> String {
    // The server's text, for a person to read and type: nothing in it may play tricks.
    let code: String = user_code.chars().filter(char::is_ascii_graphic).take(40).collect();
    match complete {
        Some(complete) => format!("{complete} (the code is {code})"),
        None => format!("{uri} (enter the code {code})"),
    }
}

fn poll(expect: ExpectDevice, out: &mut Vec<Step>) -> State {
    out.push(Step::Grant(Box::new(Grant {
        token_endpoint: expect.server.token_endpoint.clone(),
        issuer: expect.server.metadata.issuer.clone(),
        client: expect.client.clone(),
        resource: expect.server.resource.id.clone(),
        kind: GrantKind::Device { code: expect.code.clone() },
        wait: Duration::from_secs(expect.interval),
    })));
    State::ExpectDevice(Box::new(expect))
}

/// The token endpoint was asked whether the person is done (RFC 8628 §3.5).
pub(super) fn polled(
    start: &Start,
    mut expect: ExpectDevice,
    answer: GrantAnswer,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let over = now.reached(expect.deadline);
    let timed_out =
        || SignInFailure::TimedOut { seconds: start.options.timeout_seconds, url: String::new() };
    match &answer {
        Err(GrantFailure::Refused { error, .. }) if error == "expired_token" => Err(timed_out()),
        Err(GrantFailure::Refused { error, .. })
            if matches!(error.as_str(), "authorization_pending" | "slow_down") && !over =>
        {
            if error == "slow_down" {
                expect.interval = (expect.interval + SLOWER).min(*INTERVALS.end());
            }
            Ok(poll(expect, out))
        }
        // RFC 8628 §3.5: a time-out means to ask less often.
        Err(GrantFailure::Transient { .. } | GrantFailure::AnswerLost(_)) if !over => {
            expect.interval = (expect.interval * 2).min(*INTERVALS.end());
            Ok(poll(expect, out))
        }
        Err(_) if over => Err(timed_out()),
        _ => {
            let ExpectDevice { server, client, .. } = expect;
            let expect = ExpectTokens { server, client, browser: None, plain: None, again: None };
            tokens::tokens(start, expect, answer, now, out)
        }
    }
}
