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
        revocation_endpoint: None,
        pending_since: None,
        client: Registration {
            id: "client".to_owned(),
            secret: None,
            auth_method: None,
            redirect_uri: "http://127.0.0.1:3334/oauth/callback".to_owned(),
            secret_expires_at: None,
            key: None,
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
        id_token: None,
    })))
}

fn refused(failure: GrantFailure) -> Input {
    Input::Granted(Box::new(Err(failure)))
}

/// Runs a script, and renders what was asked for.
fn check(inputs: Vec<Input>, expected: &[&str]) -> Option<Outcome> {
    let now = Moment { unix: 1000, ..Moment::default() };
    let mut steps = Vec::new();
    let mut refresh = Refresh::new(record(1, "rt1"), Terms::default(), &mut steps);
    for input in inputs {
        refresh = refresh.handle(input, now, &mut steps);
    }
    render(steps, expected)
}

fn render(steps: Vec<Step>, expected: &[&str]) -> Option<Outcome> {
    let mut outcome = None;
    let seen: Vec<_> = steps
        .into_iter()
        .map(|step| match step {
            Step::Fetch(url) => format!("fetch {}", url.path()),
            Step::Lock => "lock".to_owned(),
            Step::Grant(grant) => match grant.kind {
                GrantKind::Refresh { token, .. } => format!("grant {}", token.expose()),
                other => format!("{other:?}"),
            },
            Step::Save(record) if record.pending_since.is_some() => "mark".to_owned(),
            Step::Save(record) => format!(
                "save {} {:?}",
                record.generation,
                record.tokens.and_then(|tokens| tokens.refresh).map(|t| t.expose().to_owned())
            ),
            Step::Tell(text) => format!("tell: {text}"),
            Step::Unlock => "unlock".to_owned(),
            Step::Done(done) => {
                let text = match &done {
                    Outcome::Tokens(record) => format!("tokens {}", record.generation),
                    Outcome::Adopted(record) => format!("adopted {}", record.generation),
                    Outcome::SignIn(_) => "sign in".to_owned(),
                    Outcome::Later(..) => "later".to_owned(),
                };
                outcome = Some(done);
                text
            }
        })
        .collect();
    assert_eq!(seen, expected);
    outcome
}

/// That the refresh token is about to be sent is written down.
fn marked() -> Input {
    Input::Saved(1)
}

fn locked() -> Input {
    Input::Locked(Some(record(1, "rt1")))
}

#[test]
fn a_rotated_token_is_saved_before_anyone_uses_it() {
    let inputs = vec![locked(), marked(), granted(Some("rt2")), Input::Saved(2)];
    check(inputs, &["lock", "mark", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "tokens 2"]);
}

#[test]
fn what_the_answer_leaves_out_stays() {
    let inputs = vec![locked(), marked(), granted(None), Input::Saved(2)];
    let expected = ["lock", "mark", "grant rt1", "save 2 Some(\"rt1\")", "unlock", "tokens 2"];
    let Some(Outcome::Tokens(record)) = check(inputs, &expected) else { panic!() };
    assert_eq!(record.tokens.unwrap().scope.as_deref(), Some("mcp:call"));
}

#[test]
fn what_a_sibling_has_renewed_is_adopted() {
    let inputs = vec![Input::Locked(Some(record(2, "rt2")))];
    check(inputs, &["lock", "unlock", "adopted 2"]);
}

/// Its lock was not the one that others hold, or they could not have it.
#[test]
fn what_others_have_stored_meanwhile_counts() {
    let overtaken = || Input::Overtaken(record(5, "rt5"));
    check(vec![locked(), overtaken()], &["lock", "mark", "unlock", "adopted 5"]);
    let inputs = vec![locked(), marked(), granted(Some("rt2")), overtaken()];
    let expected = ["lock", "mark", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "adopted 5"];
    check(inputs, &expected);
    let no = GrantFailure::Refused { error: "invalid_grant".to_owned(), description: None };
    let inputs = vec![locked(), marked(), refused(no), overtaken()];
    check(inputs, &["lock", "mark", "grant rt1", "save 2 None", "unlock", "adopted 5"]);
}

#[test]
fn without_the_lock_nothing_is_sent() {
    check(vec![Input::Busy("held".to_owned())], &["lock", "later"]);
}

#[test]
fn a_dead_token_leads_to_a_sign_in_and_keeps_the_client() {
    let no = GrantFailure::Refused { error: "invalid_grant".to_owned(), description: None };
    let inputs = vec![locked(), marked(), refused(no), Input::Saved(2)];
    let expected = ["lock", "mark", "grant rt1", "save 2 None", "unlock", "sign in"];
    let Some(Outcome::SignIn(Some(record))) = check(inputs, &expected) else { panic!() };
    assert_eq!(record.client.id, "client");
    assert!(!record.client.redirect_uri.is_empty());
}

#[test]
fn a_forgotten_client_registers_again() {
    let no = GrantFailure::Refused { error: "invalid_client".to_owned(), description: None };
    let inputs = vec![locked(), marked(), refused(no), Input::Saved(2)];
    let expected = ["lock", "mark", "grant rt1", "save 2 None", "unlock", "sign in"];
    let Some(Outcome::SignIn(Some(record))) = check(inputs, &expected) else { panic!() };
    assert!(record.client.redirect_uri.is_empty());
}

#[test]
fn an_outage_keeps_the_tokens() {
    for failure in [
        trouble(Some(Duration::from_secs(30))),
        GrantFailure::Malformed("a page".to_owned()),
        GrantFailure::Refused { error: "http_400".to_owned(), description: None },
        GrantFailure::Refused { error: "http_403".to_owned(), description: None },
        GrantFailure::Refused { error: "http_404".to_owned(), description: None },
        GrantFailure::Refused { error: "temporarily_unavailable".to_owned(), description: None },
    ] {
        check(
            vec![locked(), marked(), refused(failure)],
            &["lock", "mark", "grant rt1", "unlock", "later"],
        );
    }
}

fn trouble(wait: Option<Duration>) -> GrantFailure {
    GrantFailure::Transient { cause: "HTTP 503".to_owned(), wait }
}

#[test]
fn a_server_in_trouble_is_asked_once_more_and_no_more() {
    let trouble = || refused(trouble(None));
    let inputs = vec![locked(), marked(), trouble(), granted(Some("rt2")), Input::Saved(2)];
    let again =
        ["lock", "mark", "grant rt1", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "tokens 2"];
    check(inputs, &again);
    check(
        vec![locked(), marked(), trouble(), trouble()],
        &["lock", "mark", "grant rt1", "grant rt1", "unlock", "later"],
    );
}

#[test]
fn a_refusal_without_a_standard_word_leads_to_a_person_and_deletes_nothing() {
    for error in ["invalid_request", "invalid_token", "bad_refresh_token"] {
        let no = refused(GrantFailure::Refused { error: error.to_owned(), description: None });
        let expected = ["lock", "mark", "grant rt1", "unlock", "sign in"];
        let Some(Outcome::SignIn(Some(record))) = check(vec![locked(), marked(), no], &expected)
        else {
            panic!()
        };
        assert!(record.tokens.is_some());
    }
}

#[test]
fn a_lost_answer_is_asked_for_once_more_and_no_more() {
    let lost = || refused(GrantFailure::AnswerLost("reset".to_owned()));
    let inputs = vec![locked(), marked(), lost(), granted(Some("rt2")), Input::Saved(2)];
    let again =
        ["lock", "mark", "grant rt1", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "tokens 2"];
    check(inputs, &again);
    check(
        vec![locked(), marked(), lost(), lost()],
        &["lock", "mark", "grant rt1", "grant rt1", "unlock", "later"],
    );
}

#[test]
fn without_a_refresh_token_a_person_is_needed() {
    let mut stored = record(1, "rt1");
    stored.tokens = None;
    check(vec![Input::Locked(Some(stored))], &["lock", "unlock", "sign in"]);
}

#[test]
fn what_a_killed_process_has_begun_is_tried_once_more_and_no_more() {
    let half = || {
        let mut stored = record(1, "rt1");
        stored.pending_since = Some(900);
        Input::Locked(Some(stored))
    };
    let saved = ["lock", "grant rt1", "save 2 Some(\"rt2\")", "unlock", "tokens 2"];
    check(vec![half(), granted(Some("rt2")), Input::Saved(2)], &saved);
    let lost = refused(GrantFailure::AnswerLost("reset".to_owned()));
    check(vec![half(), lost], &["lock", "grant rt1", "unlock", "later"]);
    let no = GrantFailure::Refused { error: "invalid_grant".to_owned(), description: None };
    let told = "tell: the answer to an earlier renewal was lost, and the server has ended the sign-in since";
    check(
        vec![half(), refused(no), Input::Saved(2)],
        &["lock", "grant rt1", told, "save 2 None", "unlock", "sign in"],
    );
}

#[test]
fn a_configured_client_brings_its_secret_along() {
    let client = ConfiguredClient {
        id: "client".to_owned(),
        secret: Some(Secret::new("s".to_owned())),
        auth_method: None,
        key: None,
    };
    let terms = Terms { client: Some(client), ..Terms::default() };
    let mut steps = Vec::new();
    let refresh = Refresh::new(record(1, "rt1"), terms, &mut steps);
    let refresh = refresh.handle(locked(), Moment::default(), &mut steps);
    drop(refresh.handle(marked(), Moment::default(), &mut steps));
    let Some(Step::Grant(grant)) = steps.last() else { panic!() };
    assert_eq!(grant.client.secret.as_ref().unwrap().expose(), "s");
}

mod imported;
mod world;
