use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::core::oauth::grant::Granted;
use crate::core::oauth::record::{Registration, Tokens};
use crate::secret::Secret;

fn record(generation: u64, refresh: &str) -> Box<Record> {
    Box::new(Record {
        version: 1,
        generation,
        server: "https://mcp.example/sse".to_owned(),
        issuer: "https://mcp.example".to_owned(),
        token_endpoint: "https://mcp.example/token".to_owned(),
        client: Registration {
            id: "client".to_owned(),
            secret: None,
            auth_method: None,
            redirect_uri: "http://127.0.0.1:3334/oauth/callback".to_owned(),
            secret_expires_at: None,
        },
        resource: None,
        tokens: Some(Tokens {
            access: Secret::new(format!("at-{refresh}")),
            refresh: Some(Secret::new(refresh.to_owned())),
            scope: Some("mcp:call".to_owned()),
            obtained_at: 0,
            expires_at: Some(3600),
        }),
    })
}

fn granted(refresh: Option<&str>) -> Input {
    Input::Granted(Box::new(Ok(Granted {
        access: Secret::new("new".to_owned()),
        refresh: refresh.map(|token| Secret::new(token.to_owned())),
        expires_in: Some(3600),
        scope: None,
    })))
}

fn refused(failure: GrantFailure) -> Input {
    Input::Granted(Box::new(Err(failure)))
}

/// Runs a script, and renders what was asked for.
fn check(inputs: Vec<Input>, expected: &[&str]) -> Option<Outcome> {
    let now = Moment { unix: 1000, ..Moment::default() };
    let mut steps = Vec::new();
    let mut refresh = Refresh::new(record(1, "rt1"), &mut steps);
    for input in inputs {
        refresh = refresh.handle(input, now, &mut steps);
    }
    let mut outcome = None;
    let seen: Vec<_> = steps
        .into_iter()
        .map(|step| match step {
            Step::Lock => "lock".to_owned(),
            Step::Grant(grant) => match grant.kind {
                GrantKind::Refresh { token } => format!("grant {}", token.expose()),
                GrantKind::Code { .. } => "code".to_owned(),
            },
            Step::Save(record) => format!(
                "save {} {:?}",
                record.generation,
                record.tokens.and_then(|tokens| tokens.refresh).map(|t| t.expose().to_owned())
            ),
            Step::Unlock => "unlock".to_owned(),
            Step::Done(done) => {
                let text = match &done {
                    Outcome::Tokens(record) => format!("tokens {}", record.generation),
                    Outcome::SignIn(_) => "sign in".to_owned(),
                    Outcome::Later(_) => "later".to_owned(),
                };
                outcome = Some(done);
                text
            }
        })
        .collect();
    assert_eq!(seen, expected);
    outcome
}

fn locked() -> Input {
    Input::Locked(Some(record(1, "rt1")))
}

#[test]
fn a_rotated_token_is_saved_before_anyone_uses_it() {
    let inputs = vec![locked(), granted(Some("rt2")), Input::Saved(2)];
    check(inputs, &["lock", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "tokens 2"]);
}

#[test]
fn what_the_answer_leaves_out_stays() {
    let inputs = vec![locked(), granted(None), Input::Saved(2)];
    let expected = ["lock", "grant rt1", "save 2 Some(\"rt1\")", "unlock", "tokens 2"];
    let Some(Outcome::Tokens(record)) = check(inputs, &expected) else { panic!() };
    assert_eq!(record.tokens.unwrap().scope.as_deref(), Some("mcp:call"));
}

#[test]
fn what_a_sibling_has_renewed_is_adopted() {
    let inputs = vec![Input::Locked(Some(record(2, "rt2")))];
    check(inputs, &["lock", "unlock", "tokens 2"]);
}

#[test]
fn without_the_lock_nothing_is_sent() {
    check(vec![Input::Busy("held".to_owned())], &["lock", "later"]);
}

#[test]
fn a_dead_token_leads_to_a_sign_in_and_keeps_the_client() {
    let no = GrantFailure::Refused { error: "invalid_grant".to_owned(), description: None };
    let inputs = vec![locked(), refused(no), Input::Saved(2)];
    let expected = ["lock", "grant rt1", "save 2 None", "unlock", "sign in"];
    let Some(Outcome::SignIn(Some(record))) = check(inputs, &expected) else { panic!() };
    assert_eq!(record.client.id, "client");
    assert!(!record.client.redirect_uri.is_empty());
}

#[test]
fn a_forgotten_client_registers_again() {
    let no = GrantFailure::Refused { error: "invalid_client".to_owned(), description: None };
    let inputs = vec![locked(), refused(no), Input::Saved(2)];
    let expected = ["lock", "grant rt1", "save 2 None", "unlock", "sign in"];
    let Some(Outcome::SignIn(Some(record))) = check(inputs, &expected) else { panic!() };
    assert!(record.client.redirect_uri.is_empty());
}

#[test]
fn an_outage_keeps_the_tokens() {
    for failure in [
        GrantFailure::Transient("HTTP 503".to_owned()),
        GrantFailure::Malformed("a page".to_owned()),
        GrantFailure::Refused { error: "http_403".to_owned(), description: None },
        GrantFailure::Refused { error: "temporarily_unavailable".to_owned(), description: None },
    ] {
        check(vec![locked(), refused(failure)], &["lock", "grant rt1", "unlock", "later"]);
    }
}

#[test]
fn a_refusal_without_a_standard_word_leads_to_a_person_and_deletes_nothing() {
    for error in ["invalid_request", "invalid_token", "http_400", "http_401", "http_422"] {
        let no = refused(GrantFailure::Refused { error: error.to_owned(), description: None });
        let expected = ["lock", "grant rt1", "unlock", "sign in"];
        let Some(Outcome::SignIn(Some(record))) = check(vec![locked(), no], &expected) else {
            panic!()
        };
        assert!(record.tokens.is_some());
    }
}

#[test]
fn a_lost_answer_is_asked_for_once_more_and_no_more() {
    let lost = || refused(GrantFailure::AnswerLost("reset".to_owned()));
    let inputs = vec![locked(), lost(), granted(Some("rt2")), Input::Saved(2)];
    let again = ["lock", "grant rt1", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "tokens 2"];
    check(inputs, &again);
    check(vec![locked(), lost(), lost()], &["lock", "grant rt1", "grant rt1", "unlock", "later"]);
}

#[test]
fn without_a_refresh_token_a_person_is_needed() {
    let mut stored = record(1, "rt1");
    stored.tokens = None;
    check(vec![Input::Locked(Some(stored))], &["lock", "unlock", "sign in"]);
}

/// Several processes with one store and one strict authorization server.
struct World {
    stored: Box<Record>,
    holder: Option<usize>,
    processes: Vec<Process>,
    valid: String,
    issued: u32,
    presented: Vec<String>,
}

struct Process {
    refresh: Option<Refresh>,
    todo: VecDeque<Step>,
    generation: Option<u64>,
    signed_out: bool,
}

impl World {
    fn new(n: usize) -> Self {
        let start = || {
            let mut steps = Vec::new();
            let refresh = Refresh::new(record(1, "rt1"), &mut steps);
            Process {
                refresh: Some(refresh),
                todo: steps.into(),
                generation: None,
                signed_out: false,
            }
        };
        Self {
            stored: record(1, "rt1"),
            holder: None,
            processes: (0..n).map(|_| start()).collect(),
            valid: "rt1".to_owned(),
            issued: 1,
            presented: Vec::new(),
        }
    }

    /// Performs one step of one process; `false` if it has none or must wait.
    fn step(&mut self, index: usize) -> bool {
        let Some(step) = self.processes[index].todo.pop_front() else { return false };
        let input = match step {
            Step::Lock if self.holder.is_some() => {
                self.processes[index].todo.push_front(Step::Lock);
                return false;
            }
            Step::Lock => {
                self.holder = Some(index);
                Input::Locked(Some(self.stored.clone()))
            }
            Step::Grant(grant) => {
                let GrantKind::Refresh { token } = grant.kind else { panic!() };
                self.presented.push(token.expose().to_owned());
                if token.expose() == self.valid {
                    self.issued += 1;
                    self.valid = format!("rt{}", self.issued);
                    granted(Some(&self.valid))
                } else {
                    let error = "invalid_grant".to_owned();
                    refused(GrantFailure::Refused { error, description: None })
                }
            }
            Step::Save(record) => {
                let generation = record.generation;
                self.stored = record;
                Input::Saved(generation)
            }
            Step::Unlock => {
                assert_eq!(self.holder.take(), Some(index));
                return true;
            }
            Step::Done(outcome) => {
                match outcome {
                    Outcome::Tokens(record) => {
                        self.processes[index].generation = Some(record.generation);
                    }
                    _ => self.processes[index].signed_out = true,
                }
                return true;
            }
        };
        let process = &mut self.processes[index];
        let mut steps = Vec::new();
        let refresh = process.refresh.take().unwrap();
        process.refresh = Some(refresh.handle(input, Moment::default(), &mut steps));
        process.todo.extend(steps);
        true
    }
}

proptest! {
    /// Whatever the order, one refresh token is presented once and everybody has the new tokens.
    #[test]
    fn many_processes_refresh_once(
        n in 2_usize..6,
        order in proptest::collection::vec(0_usize..6, 0..200),
    ) {
        let mut world = World::new(n);
        for index in order {
            world.step(index % n);
        }
        while (0..n).any(|index| world.step(index)) {}
        prop_assert_eq!(&world.presented, &["rt1"]);
        for process in &world.processes {
            prop_assert_eq!(process.generation, Some(2));
            prop_assert!(!process.signed_out);
        }
    }
}
