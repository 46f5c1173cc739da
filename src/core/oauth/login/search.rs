//! The first steps of a sign-in alone: which authorization server, and where it issues tokens. For
//! a renewal that does not know this yet; nobody is asked for anything.

use bytes::Bytes;
use url::Url;

use super::{Input, Login, Start, State, Step, client};
use crate::core::event::HttpFailure;
use crate::core::oauth::discovery::same_issuer;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::record::{Record, Registration};
use crate::core::time::Moment;

/// A search under way.
#[derive(Debug)]
pub struct Search(Box<Login>);

/// How far a search is.
#[derive(Debug)]
pub enum Progress {
    /// The next document is asked for.
    Searching(Search),
    /// The authorization server of today.
    Found(Box<Found>),
}

/// The authorization server that the gateway names today.
#[derive(Debug)]
pub struct Found {
    issuer: String,
    token_endpoint: Url,
    revocation_endpoint: Option<String>,
    resource: Option<String>,
    /// The client that is configured.
    client: Option<Registration>,
}

impl Search {
    /// Starts towards [`Goal::Server`](super::Goal::Server); the documents to ask for go to `out`.
    pub fn new(start: Start, out: &mut Vec<Url>) -> Self {
        let mut steps = Vec::new();
        let login = Login::new(start, &mut steps);
        documents(steps, out);
        Self(Box::new(login))
    }

    /// Takes the answer to the last document.
    pub fn handle(
        self,
        answer: Result<(u16, Bytes), HttpFailure>,
        now: Moment,
        out: &mut Vec<Url>,
    ) -> Result<Progress, SignInFailure> {
        let mut steps = Vec::new();
        let login = self.0.handle(Input::Fetched(answer), now, &mut steps)?;
        if let State::Found(server) = login.state {
            let configured = login.start.options.client.as_ref();
            return Ok(Progress::Found(Box::new(Found {
                client: configured.map(|it| client::configured(it, &server.metadata, "")),
                issuer: server.metadata.issuer,
                token_endpoint: server.token_endpoint,
                revocation_endpoint: server.metadata.revocation_endpoint,
                resource: server.resource.id,
            })));
        }
        documents(steps, out);
        Ok(Progress::Searching(Self(Box::new(login))))
    }
}

impl Found {
    /// Completes a record with what was found. The tokens of another issuer are given up: its
    /// token endpoint is the only one that may see them.
    pub fn complete(self, record: &mut Record) {
        if !same_issuer(&record.issuer, &self.issuer) {
            record.tokens = None;
            return;
        }
        record.issuer = self.issuer;
        record.token_endpoint = self.token_endpoint.into();
        record.revocation_endpoint = self.revocation_endpoint;
        record.resource = self.resource;
        if let Some(client) = self.client.filter(|client| client.id == record.client.id) {
            record.client.auth_method = client.auth_method;
        }
    }
}

/// Only documents: a listener and a browser are for people.
fn documents(steps: Vec<Step>, out: &mut Vec<Url>) {
    out.extend(steps.into_iter().filter_map(|step| match step {
        Step::Fetch(url) => Some(url),
        _ => None,
    }));
}
