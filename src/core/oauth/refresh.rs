//! One refresh of the tokens that several processes share, as a machine without IO.
//!
//! Lock, read again, adopt what a sibling has renewed meanwhile, otherwise ask the token endpoint,
//! and store the answer before anyone uses it: a rotated refresh token that is lost costs a
//! sign-in, and one that is sent twice may cost everybody theirs (RFC 6749 §10.4, RFC 9700 §4.14).
//! Imported tokens come without their token endpoint; it is found first, without the lock.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::failure::SignInFailure;
use super::grant::{Grant, GrantAnswer, GrantFailure, GrantKind};
use super::login::{Progress, Search, Start, issued};
use super::record::Record;
use crate::config::ConfiguredClient;
use crate::core::event::HttpFailure;
use crate::core::time::Moment;

/// What a refresh waits for.
#[derive(Debug)]
pub enum Input {
    /// The answer to [`Step::Fetch`]: status, body.
    Fetched(Result<(u16, Bytes), HttpFailure>),
    /// The lock is held, and this is stored.
    Locked(Option<Box<Record>>),
    /// The lock could not be had.
    Busy(String),
    /// The token endpoint's answer.
    Granted(Box<GrantAnswer>),
    /// The record is stored under this generation.
    Saved(u64),
    /// It is not, because somebody else has stored this meanwhile.
    Overtaken(Box<Record>),
}

/// What a refresh asks for.
#[derive(Debug)]
pub enum Step {
    /// GET this document.
    Fetch(Url),
    /// Lock the stored record and read it.
    Lock,
    /// Ask the token endpoint.
    Grant(Box<Grant>),
    /// Store this under the lock.
    Save(Box<Record>),
    /// Give the lock back.
    Unlock,
    /// Tell a person.
    Tell(String),
    /// The refresh is over.
    Done(Outcome),
}

/// How a refresh ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With these tokens.
    Tokens(Box<Record>),
    /// With those that a sibling had renewed; they may be old by now.
    Adopted(Box<Record>),
    /// Nothing can be refreshed any more: a person must sign in. Holds what is left of the record.
    SignIn(Option<Box<Record>>),
    /// Not now, and perhaps not for so long; the tokens are kept.
    Later(SignInFailure, Option<Duration>),
}

/// A refresh under way.
#[derive(Debug)]
pub struct Refresh {
    terms: Terms,
    state: State,
}

/// What the user's configuration says about a refresh.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The client whose credentials are configured, and therefore not stored.
    pub client: Option<ConfiguredClient>,
    /// Whether the ID token is sent in place of the access token.
    pub use_id_token: bool,
    /// What is added to the wait before a repeat, so that not all come at once.
    pub spread: Duration,
}

#[derive(Debug)]
enum State {
    /// Holds the record whose token endpoint is not known yet.
    ExpectServer(Search, Box<Record>),
    /// Holds the record whose access token is no longer good.
    ExpectLock(Box<Record>),
    /// Holds the record under the lock. That its refresh token is about to be sent is being
    /// written down: a process that is killed now leaves word for the next one.
    ExpectMarked(Box<Record>),
    /// Holds the record under the lock, and whether this is the one careful repeat.
    ExpectTokens(Box<Record>, Attempt),
    /// Holds what the store will have.
    ExpectSaved(Box<Record>),
    Done,
}

/// The same refresh token is sent a second time only when the first brought no answer of the
/// server's, here or in a process that was killed: a server that rotates with care lets the repeat
/// succeed, and with a strict one nothing is lost by it, because the tokens in a lost answer are
/// gone anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    First,
    Repeat,
}

/// Between the lost answer and the repeat: a server that was just restarted is back by then.
const REPEAT_AFTER: Duration = Duration::from_millis(500);
/// The same for a server that cannot just now: whoever waits for the tokens would rather wait for
/// two seconds than be refused.
const REPEAT_AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// A longer wait, if the server wants one, is for whoever asks next.
const LONGEST_REPEAT: Duration = Duration::from_secs(3);

impl Refresh {
    /// Starts to renew the tokens of `used`.
    pub fn new(used: Box<Record>, terms: Terms, out: &mut Vec<Step>) -> Self {
        out.push(Step::Lock);
        Self { terms, state: State::ExpectLock(used) }
    }

    /// Starts to renew the tokens of `used`, which do not say where that is done.
    pub fn search(used: Box<Record>, start: Start, terms: Terms, out: &mut Vec<Step>) -> Self {
        let mut documents = Vec::new();
        let search = Search::new(start, &mut documents);
        out.extend(documents.into_iter().map(Step::Fetch));
        Self { terms, state: State::ExpectServer(search, used) }
    }

    /// Whether tokens are being issued or stored just now.
    pub fn expects_tokens(&self) -> bool {
        matches!(self.state, State::ExpectTokens(..) | State::ExpectSaved(_))
    }

    /// Takes the next input.
    #[must_use]
    pub fn handle(self, input: Input, now: Moment, out: &mut Vec<Step>) -> Self {
        let Self { terms, state } = self;
        let state = match (state, input) {
            (State::ExpectServer(search, used), Input::Fetched(answer)) => {
                let mut documents = Vec::new();
                let progress = search.handle(answer, now, &mut documents);
                out.extend(documents.into_iter().map(Step::Fetch));
                searched(progress, used, out)
            }
            (State::ExpectLock(used), Input::Locked(stored)) => {
                locked(used, stored, &terms, now, out)
            }
            (State::ExpectLock(_), Input::Busy(cause)) => {
                // Never without the lock: two refreshes at once are what it is there for.
                let failure =
                    SignInFailure::Transient { step: "waiting for the token store", cause };
                out.push(Step::Done(Outcome::Later(failure, None)));
                State::Done
            }
            (State::ExpectMarked(record), Input::Saved(_)) => {
                ask(record, Attempt::First, &terms, out)
            }
            (State::ExpectMarked(_) | State::ExpectSaved(_), Input::Overtaken(record)) => {
                out.push(Step::Unlock);
                out.push(Step::Done(Outcome::Adopted(record)));
                State::Done
            }
            (State::ExpectTokens(record, attempt), Input::Granted(answer)) => {
                granted(record, attempt, *answer, &terms, now, out)
            }
            (State::ExpectSaved(mut record), Input::Saved(generation)) => {
                record.generation = generation;
                out.push(Step::Unlock);
                let tokens = record.tokens.is_some();
                out.push(Step::Done(if tokens {
                    Outcome::Tokens(record)
                } else {
                    Outcome::SignIn(Some(record))
                }));
                State::Done
            }
            (state, _) => state,
        };
        Self { terms, state }
    }
}

fn searched(
    progress: Result<Progress, SignInFailure>,
    mut used: Box<Record>,
    out: &mut Vec<Step>,
) -> State {
    match progress {
        Ok(Progress::Searching(search)) => State::ExpectServer(search, used),
        Ok(Progress::Found(found)) => {
            found.complete(&mut used);
            out.push(Step::Lock);
            State::ExpectLock(used)
        }
        Err(failure) => {
            out.push(Step::Done(Outcome::Later(failure, None)));
            State::Done
        }
    }
}

fn locked(
    used: Box<Record>,
    stored: Option<Box<Record>>,
    terms: &Terms,
    now: Moment,
    out: &mut Vec<Step>,
) -> State {
    // What is not stored any more, somebody has deleted: that is a sign-out.
    let Some(mut record) = stored else {
        out.push(Step::Unlock);
        out.push(Step::Done(Outcome::SignIn(None)));
        return State::Done;
    };
    if record.has_other_tokens(Some(&used)) {
        out.push(Step::Unlock);
        out.push(Step::Done(Outcome::Adopted(record)));
        return State::Done;
    }
    if record.tokens.is_some() && record.token_endpoint.is_empty() {
        // What the search has found, nobody has stored yet.
        record = used;
        if record.tokens.is_none() {
            record.generation += 1;
            out.push(Step::Save(record.clone()));
            return State::ExpectSaved(record);
        }
    }
    if grant(&record, terms, Duration::ZERO).is_none() {
        return sign_in(record, out);
    }
    if record.pending_since.is_some() {
        return ask(record, Attempt::Repeat, terms, out);
    }
    record.pending_since = Some(now.unix);
    out.push(Step::Save(record.clone()));
    State::ExpectMarked(record)
}

/// Asks the token endpoint, under the lock.
fn ask(record: Box<Record>, attempt: Attempt, terms: &Terms, out: &mut Vec<Step>) -> State {
    match grant(&record, terms, Duration::ZERO) {
        Some(grant) => {
            out.push(Step::Grant(Box::new(grant)));
            State::ExpectTokens(record, attempt)
        }
        None => sign_in(record, out),
    }
}

/// A person must sign in; what is left of the record stays.
fn sign_in(record: Box<Record>, out: &mut Vec<Step>) -> State {
    out.push(Step::Unlock);
    out.push(Step::Done(Outcome::SignIn(Some(record))));
    State::Done
}

fn grant(record: &Record, terms: &Terms, wait: Duration) -> Option<Grant> {
    let tokens = record.tokens.as_ref()?;
    let mut client = record.client.clone();
    if let Some(configured) = terms.client.as_ref().filter(|own| own.id == client.id) {
        client.secret.clone_from(&configured.secret);
        client.key.clone_from(&configured.key);
    }
    Some(Grant {
        token_endpoint: Url::parse(&record.token_endpoint).ok()?,
        issuer: record.issuer.clone(),
        client,
        resource: record.resource.clone(),
        kind: GrantKind::Refresh { token: tokens.refresh.clone()?, scope: tokens.scope.clone() },
        wait,
    })
}

fn granted(
    mut record: Box<Record>,
    attempt: Attempt,
    answer: GrantAnswer,
    terms: &Terms,
    now: Moment,
    out: &mut Vec<Step>,
) -> State {
    let failure = match answer {
        Ok(granted) => {
            let old = record.tokens.take();
            let (refresh, scope) = old.map(|old| (old.refresh, old.scope)).unwrap_or_default();
            record.tokens = Some(issued(granted, refresh, scope, terms.use_id_token, now));
            record.pending_since = None;
            record.generation += 1;
            out.push(Step::Save(record.clone()));
            return State::ExpectSaved(record);
        }
        Err(failure) => failure,
    };
    match failure {
        GrantFailure::Refused { error, .. } if is_final(&error) => {
            if error == "invalid_client" || error == "unauthorized_client" {
                // The registration is gone too; another one is made at the sign-in.
                record.client.redirect_uri.clear();
            }
            if attempt == Attempt::Repeat {
                out.push(Step::Tell(
                    "the answer to an earlier renewal was lost, and the server has ended the \
                     sign-in since"
                        .to_owned(),
                ));
            }
            record.tokens = None;
            record.pending_since = None;
            record.generation += 1;
            out.push(Step::Save(record.clone()));
            State::ExpectSaved(record)
        }
        GrantFailure::Refused { error, .. } if is_temporary(&error) => {
            later(format!("`{error}`"), None, out)
        }
        GrantFailure::Refused { error, .. }
            if error == "invalid_scope" && attempt == Attempt::First && has_scope(&record) =>
        {
            // What was granted is not granted any more, at least not by that name (RFC 6749 §6).
            if let Some(tokens) = &mut record.tokens {
                tokens.scope = None;
            }
            repeat(record, Duration::ZERO, error, terms, out)
        }
        // A code that the standard does not have for this. Asking again would change nothing, so a
        // person is asked; the tokens stay, in case the server comes to its senses.
        GrantFailure::Refused { .. } => sign_in(record, out),
        GrantFailure::AnswerLost(cause) if attempt == Attempt::First => {
            repeat(record, REPEAT_AFTER, cause, terms, out)
        }
        GrantFailure::Transient { cause, wait }
            if attempt == Attempt::First && wait.unwrap_or_default() <= LONGEST_REPEAT =>
        {
            let wait = wait.unwrap_or_default().max(REPEAT_AFTER_TROUBLE);
            repeat(record, wait.saturating_add(terms.spread), cause, terms, out)
        }
        GrantFailure::Transient { cause, wait } => later(cause, wait, out),
        GrantFailure::AnswerLost(cause) | GrantFailure::Malformed(cause) => later(cause, None, out),
    }
}

/// Asks once more, under the same lock.
fn repeat(
    record: Box<Record>,
    wait: Duration,
    cause: String,
    terms: &Terms,
    out: &mut Vec<Step>,
) -> State {
    match grant(&record, terms, wait) {
        Some(grant) => {
            out.push(Step::Grant(Box::new(grant)));
            State::ExpectTokens(record, Attempt::Repeat)
        }
        None => later(cause, None, out),
    }
}

/// The tokens are kept for another time.
fn later(cause: String, wait: Option<Duration>, out: &mut Vec<Step>) -> State {
    out.push(Step::Unlock);
    let failure = SignInFailure::Transient { step: "renewing the access token", cause };
    out.push(Step::Done(Outcome::Later(failure, wait)));
    State::Done
}

fn has_scope(record: &Record) -> bool {
    record.tokens.as_ref().is_some_and(|tokens| tokens.scope.is_some())
}

/// Whether the server may answer otherwise in a moment (RFC 6749 §4.1.2.1, RFC 8628 §3.5), or was
/// not even the one that answered: `http_…` stands for a refusal without a code, which is what
/// portals, firewalls, proxies, and gateways that are being replaced say.
fn is_temporary(error: &str) -> bool {
    matches!(error, "temporarily_unavailable" | "server_error" | "slow_down")
        || error.starts_with("http_")
}

/// Whether the refresh token or the client is dead (RFC 6749 §5.2); everything else may pass.
fn is_final(error: &str) -> bool {
    matches!(error, "invalid_grant" | "invalid_client" | "unauthorized_client")
}

#[cfg(test)]
mod tests;
