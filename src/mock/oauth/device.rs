//! The device authorization grant (RFC 8628): a code for the client, a shorter one for the person.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::HeaderMap;
use serde_json::json;

use super::authorize::{AuthorizationRequest, target};
use super::client_auth::ClientAuth;
use super::grants::Grant;
use super::{Form, OAuthError, documents, no_store};
use crate::mock::log::Note;
use crate::mock::plan::Consent;
use crate::mock::state::{Mock, lock};

/// The device codes that are still open, by device code.
#[derive(Debug, Default)]
pub(crate) struct Devices(HashMap<String, Pending>);

#[derive(Debug)]
struct Pending {
    user_code: String,
    request: AuthorizationRequest,
    expires: Duration,
    interval: Duration,
    polled: Option<Duration>,
    decision: Option<Decision>,
}

/// What became of a device code.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    Approved(Grant),
    Denied,
}

impl Devices {
    /// The request behind a code that a person has typed, if it waits for a decision.
    pub(crate) fn request(&self, typed: &str, now: Duration) -> Option<&AuthorizationRequest> {
        let mut open = self.0.values();
        let found = open.find(|it| {
            same_code(&it.user_code, typed) && it.decision.is_none() && now < it.expires
        });
        found.map(|it| &it.request)
    }

    /// Enters a decision: false when there is nothing to decide any more.
    pub(crate) fn decide(&mut self, user_code: &str, decision: Decision, now: Duration) -> bool {
        let mut open = self.0.values_mut();
        let found =
            open.find(|it| it.user_code == user_code && it.decision.is_none() && now < it.expires);
        found.map(|it| it.decision = Some(decision)).is_some()
    }

    /// Asks whether a code was decided about (RFC 8628 3.4 and 3.5). A decision is told once.
    pub(crate) fn poll(
        &mut self,
        device_code: &str,
        client_id: &str,
        now: Duration,
    ) -> Result<Grant, OAuthError> {
        let error = |error, what| Err(OAuthError::bad_request(error, what));
        let found = self.0.get_mut(device_code).filter(|it| it.request.client_id == client_id);
        let Some(pending) = found else {
            return error("invalid_grant", "this device code is not known");
        };
        if pending.expires <= now {
            return error("expired_token", "this device code has expired");
        }
        let too_soon = pending.polled.is_some_and(|it| now < it + pending.interval);
        pending.polled = Some(now);
        if too_soon {
            // RFC 8628 3.5: for this and all later polls.
            pending.interval += Duration::from_secs(5);
            return error("slow_down", "polled before the interval was over");
        }
        match pending.decision.clone() {
            None => error("authorization_pending", "nobody has decided yet"),
            Some(Decision::Denied) => {
                self.0.remove(device_code);
                error("access_denied", "the user said no")
            }
            Some(Decision::Approved(grant)) => {
                self.0.remove(device_code);
                Ok(grant)
            }
        }
    }

    fn add(&mut self, device_code: String, pending: Pending, now: Duration) {
        // Expired ones are kept for a day, so that their clients are told what happened.
        self.0.retain(|_, it| now < it.expires + Duration::from_hours(24));
        self.0.insert(device_code, pending);
    }
}

/// `POST /oauth/device_authorization`.
pub(crate) async fn begin(
    State(mock): State<Arc<Mock>>,
    Extension(note): Extension<Note>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let not_offered = OAuthError::bad_request("invalid_request", "device codes are not offered");
    let plan = mock.plan.device.ok_or(not_offered)?;
    let form = Form::parse(&body);
    note.add(|entry| entry.client_id = form.get("client_id").map(str::to_owned));
    let auth = ClientAuth::read(&headers, &form)?;
    if mock.plan.client_documents {
        // What is wrong with a document shows as a client that nobody knows.
        documents::find(&mock, &auth.client_id).await.ok();
    }
    let client = auth.client(&mock)?;
    let (org, scope, resource) = target(&mock, &form)
        .map_err(|(error, description)| OAuthError::bad_request(error, description))?;
    let user_code = user_code(&mock.keys.random());
    let request = AuthorizationRequest {
        client_id: auth.client_id,
        client_name: client.name,
        redirect_uri: String::new(),
        org,
        scope,
        resource,
        state: None,
        code_challenge: String::new(),
        nonce: None,
        user_code: Some(user_code.clone()),
    };
    let now = mock.clock.now();
    let decision = match mock.plan.consent {
        Consent::Approve => {
            Some(Decision::Approved(request.grant("auto-approve", client.refreshes)))
        }
        Consent::Deny => Some(Decision::Denied),
        Consent::Ask => None,
    };
    let device_code = mock.issue("apx_device_");
    let verification_uri = format!("{}/device", mock.web_url);
    let answer = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
        "verification_uri": verification_uri,
        "expires_in": plan.lifetime.as_secs(),
        "interval": plan.interval.as_secs(),
    });
    let expires = now + plan.lifetime;
    let interval = plan.interval;
    let pending = Pending { user_code, request, expires, interval, polled: None, decision };
    lock(&mock.devices).add(device_code, pending, now);
    Ok((no_store(), Json(answer)).into_response())
}

/// Eight consonants, as RFC 8628 6.1 recommends: no word comes out of them.
fn user_code(random: &str) -> String {
    let letters: Vec<char> = random
        .bytes()
        .filter_map(|byte| LETTERS.get(usize::from(byte) % LETTERS.len()))
        .map(|letter| char::from(*letter))
        .take(8)
        .collect();
    let (front, back) = letters.split_at(letters.len() / 2);
    front.iter().chain(&['-']).chain(back).collect()
}

/// RFC 8628 6.1: what people add or change while they type does not count.
fn same_code(code: &str, typed: &str) -> bool {
    let plain = |text: &str| {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|it| it.to_ascii_uppercase()).collect::<String>()
    };
    plain(code) == plain(typed)
}

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
