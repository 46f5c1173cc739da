//! A client that is registered already.

use super::*;
use crate::core::oauth::record::Registration;

fn known_record() -> Record {
    Record {
        version: 1,
        generation: 4,
        server: SERVER.to_owned(),
        issuer: "https://mcp.example".to_owned(),
        token_endpoint: "https://mcp.example/token".to_owned(),
        revocation_endpoint: None,
        pending_since: None,
        client: Registration {
            id: "known".to_owned(),
            secret: None,
            auth_method: None,
            redirect_uri: "http://127.0.0.1:9999/oauth/callback".to_owned(),
            secret_expires_at: None,
            key: None,
        },
        resource: None,
        tokens: None,
    }
}

/// The port that a URL leads to may be one where no browser would bring the answer.
#[test]
fn a_port_that_browsers_refuse_is_not_listened_on() {
    let mut record = known_record();
    record.client.redirect_uri = "http://127.0.0.1:6667/oauth/callback".to_owned();
    let mut start = Start { known: Some(Box::new(record)), ..start() };
    start.options.preferred_port = 10080;
    let (steps, _) = run(start, vec![document(200, RESOURCE), document(200, METADATA)]);
    assert_eq!(render(steps.last().unwrap()), "bind [0]");
}

#[test]
fn a_known_client_is_used_again_while_its_port_is_free() {
    let record = known_record();
    let known = || Start { known: Some(Box::new(record.clone())), ..start() };
    let inputs = |port| {
        let bound = Input::Bound(port, Box::new([7; 128]));
        vec![document(200, RESOURCE), document(200, METADATA), bound]
    };
    let (steps, _) = run(known(), inputs(9999));
    let seen: Vec<_> = steps.iter().map(render).collect();
    assert_eq!(seen[2], "bind [9999, 4177, 0]");
    assert!(seen[3].starts_with("fetch https://mcp.example/authorize?x=1&"), "{seen:?}");
    // Whatever the authorization endpoint says, other than that it does not know this client.
    let unreachable = HttpFailure {
        cause: "time-out".to_owned(),
        delivery: Delivery::Unknown,
        kind: FailureKind::Network,
    };
    for answer in [
        document(302, ""),
        document(200, "<title>invalid_client</title>"),
        document(400, r#"{"error":"invalid_request"}"#),
        document(503, ""),
        Input::Fetched(Err(unreachable)),
    ] {
        let mut inputs = inputs(9999);
        inputs.push(answer);
        let (steps, _) = run(known(), inputs);
        let seen: Vec<_> = steps.iter().map(render).collect();
        assert_eq!(&seen[4..], ["claim", "tell the address", "open /authorize"]);
    }
    for answer in [
        document(400, r#"{"error":"invalid_client"}"#),
        document(401, r#"{"error":"unauthorized_client"}"#),
        document(400, "<h1>Unknown client</h1>"),
    ] {
        let mut inputs = inputs(9999);
        inputs.extend([answer, document(201, CLIENT)]);
        let (steps, _) = run(known(), inputs);
        let seen: Vec<_> = steps.iter().map(render).collect();
        assert!(seen[4].starts_with("register "), "{seen:?}");
        assert_eq!(&seen[5..], ["claim", "tell the address", "open /authorize"]);
    }
    let (steps, _) = run(known(), inputs(50_000));
    assert!(matches!(steps.last(), Some(Step::Register(..))), "another port is registered anew");
}

#[test]
fn a_client_that_the_token_endpoint_has_forgotten_is_registered_again_once() {
    let known = Start { known: Some(Box::new(known_record())), ..start() };
    let refused = || {
        let error = "invalid_client".to_owned();
        Input::Granted(Box::new(Err(GrantFailure::Refused { error, description: None })))
    };
    let bound = || Input::Bound(9999, Box::new([7; 128]));
    let inputs = vec![
        document(200, RESOURCE),
        document(200, METADATA),
        bound(),
        document(302, ""),
        good(),
        refused(),
        document(200, RESOURCE),
        document(200, METADATA),
        bound(),
        document(201, CLIENT),
        good(),
        refused(),
    ];
    let (steps, result) = run(known, inputs);
    assert!(matches!(result, Err(SignInFailure::Refused { .. })), "it ends here");
    let seen: Vec<_> = steps.iter().map(render).collect();
    assert_eq!(seen.iter().filter(|step| step.starts_with("register")).count(), 1, "{seen:?}");
    let saved = steps.iter().any(|step| matches!(step, Step::Save(_)));
    assert!(!saved, "what is stored stays, perhaps somebody else has tokens by now");
}

#[test]
fn a_resource_that_nobody_asked_for_is_left_out_of_the_second_token_request() {
    let refused = |error: &str| {
        let error = error.to_owned();
        Input::Granted(Box::new(Err(GrantFailure::Refused { error, description: None })))
    };
    let resources = |documents: Vec<Input>| {
        let mut inputs = documents;
        inputs.extend([bound(), document(201, CLIENT), good(), refused("invalid_target")]);
        inputs.push(refused("invalid_target"));
        let (steps, result) = run(Start { challenge: None, ..start() }, inputs);
        assert!(matches!(result, Err(SignInFailure::Refused { .. })), "once");
        let resources = steps.iter().filter_map(|step| match step {
            Step::Grant(grant) => Some(grant.resource.is_some()),
            _ => None,
        });
        resources.collect::<Vec<_>>()
    };
    let nothing = (0..4).map(|_| document(404, "")).collect();
    assert_eq!(resources(nothing), [true, false]);
    let both = vec![document(200, RESOURCE), document(200, METADATA)];
    assert_eq!(resources(both), [true], "it is what the server's own metadata says");
}
