use base64::Engine as _;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const IMPORT: Import<'_> = Import {
    server: "https://mcp.example/sse",
    client: None,
    client_document: None,
    use_id_token: false,
    written_at: 900_000,
    now: 1_000_000,
};
const ISSUER: &str = "https://as.example";

/// Both files as mcp-remote 0.15.1 writes them, with some members replaced.
fn files(tokens: Value, client: Value) -> (Vec<u8>, Vec<u8>) {
    let mut files = (
        json!({ "access_token": "at", "token_type": "Bearer", "expires_in": 3600,
            "scope": "mcp:call", "refresh_token": "rt", "issuer": ISSUER,
            "expires_at": 1_001_000_000_u64, "requested_scope": "mcp:call" }),
        json!({ "redirect_uris": ["http://localhost:4567/oauth/callback"], "client_id": "c",
            "token_endpoint_auth_method": "none", "client_id_issued_at": 5, "issuer": ISSUER }),
    );
    for (file, changes) in [(&mut files.0, tokens), (&mut files.1, client)] {
        for (name, value) in changes.as_object().unwrap() {
            file[name] = value.clone();
        }
    }
    (serde_json::to_vec_pretty(&files.0).unwrap(), serde_json::to_vec_pretty(&files.1).unwrap())
}

/// What is imported, in words: issuer, client, tokens, when they were issued and end.
fn imported(tokens: Option<&[u8]>, client: Option<&[u8]>) -> String {
    imported_by(IMPORT, tokens, client)
}

fn imported_by(import: Import<'_>, tokens: Option<&[u8]>, client: Option<&[u8]>) -> String {
    let tokens = tokens.map(|file| LegacyTokens::read(file).expect("tokens"));
    let client = client.map(|file| LegacyClient::read(file).expect("client"));
    let Some(record) = record(import, tokens, client) else { return "nothing".to_owned() };
    assert_eq!((record.server.as_str(), record.token_endpoint.as_str()), (IMPORT.server, ""));
    let tokens = record.tokens.map(|tokens| {
        let Tokens { access, refresh, obtained_at, expires_at, .. } = tokens;
        let refresh = refresh.map(|token| token.expose().to_owned()).unwrap_or_default();
        format!("{} {refresh} {obtained_at} {expires_at:?}", access.expose())
    });
    let tokens = tokens.unwrap_or_else(|| "no tokens".to_owned());
    format!("{} [{}] {tokens}", record.issuer, record.client.id)
}

#[track_caller]
fn check(tokens: Value, client: Value, expected: &str) {
    let (tokens, client) = files(tokens, client);
    assert_eq!(imported(Some(&tokens), Some(&client)), expected);
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
}

#[test]
fn everything_is_there_since_0_15() {
    check(json!({}), json!({}), "https://as.example [c] at rt 997400 Some(1001000)");
    let (_, client) = files(json!({}), json!({}));
    let client = LegacyClient::read(&client).unwrap().registration;
    assert_eq!(client.redirect_uri, "http://localhost:4567/oauth/callback");
    assert_eq!(client.auth_method.as_deref(), Some("none"));
    let secret = json!({ "client_secret": "s", "client_secret_expires_at": 0 });
    let client = LegacyClient::read(&files(json!({}), secret).1).unwrap().registration;
    assert_eq!((client.secret.unwrap().expose(), client.secret_expires_at), ("s", None));
}

#[test]
fn of_an_unknown_age_is_renewed_at_first_use() {
    let no = json!({ "expires_at": null });
    check(no, json!({}), "https://as.example [c] at rt 900000 Some(900000)");
    // Where it cannot be renewed, the server decides.
    let no = json!({ "expires_at": null, "refresh_token": null });
    check(no, json!({}), "https://as.example [c] at  900000 None");
}

#[test]
fn an_expired_access_token_is_kept_for_its_refresh_token_only() {
    let old = json!({ "expires_at": 999_000_000 });
    check(old, json!({}), "https://as.example [c] at rt 995400 Some(999000)");
    let old = json!({ "expires_at": 999_000_000, "refresh_token": null });
    check(old, json!({}), "https://as.example [c] no tokens");
}

#[test]
fn without_an_issuer_no_refresh_token_and_no_client() {
    let no = || json!({ "issuer": null });
    check(no(), no(), " [] at  997400 Some(1001000)");
    let old = json!({ "issuer": null, "expires_at": 999_000_000 });
    check(old, no(), "nothing");
    // One of the files says it, or one of the tokens does.
    check(no(), json!({}), "https://as.example [c] at rt 997400 Some(1001000)");
    check(json!({}), no(), "https://as.example [c] at rt 997400 Some(1001000)");
    let token = jwt(&json!({ "iss": "https://jwt.example", "sub": "1" }));
    let expected = format!("https://jwt.example [c] {token} rt 997400 Some(1001000)");
    check(json!({ "issuer": null, "access_token": token }), no(), &expected);
    let named = json!({ "issuer": null, "id_token": jwt(&json!({ "iss": "https://id.example" })) });
    check(named, no(), "https://id.example [c] at rt 997400 Some(1001000)");
    // What is written down counts more than what a token says.
    let named = json!({ "id_token": jwt(&json!({ "iss": "https://sts.example" })) });
    check(named, json!({}), "https://as.example [c] at rt 997400 Some(1001000)");
    for token in ["a.b.c", "..", "a.e30.c", "a.W10.c", "a.e30.c.d"] {
        check(json!({ "issuer": null, "id_token": token }), no(), " [] at  997400 Some(1001000)");
    }
}

#[test]
fn files_of_two_issuers_do_not_belong_together() {
    check(json!({}), json!({ "issuer": "https://other.example" }), "nothing");
    let slash = json!({ "issuer": "https://as.example/" });
    check(json!({}), slash, "https://as.example [c] at rt 997400 Some(1001000)");
}

#[test]
fn one_file_alone() {
    let (tokens, client) = files(json!({}), json!({}));
    // The client of a refresh token that nobody remembers.
    assert_eq!(imported(Some(&tokens), None), "https://as.example [] at  997400 Some(1001000)");
    assert_eq!(imported(None, Some(&client)), "https://as.example [c] no tokens");
    assert_eq!(imported(None, None), "nothing");
}

#[test]
fn a_client_that_is_configured_was_not_stored() {
    let (tokens, client) = files(json!({}), json!({}));
    let fixed = Import { client: Some("fixed"), ..IMPORT };
    let expected = "https://as.example [fixed] at rt 997400 Some(1001000)";
    assert_eq!(imported_by(fixed, Some(&tokens), None), expected);
    assert_eq!(imported_by(fixed, Some(&tokens), Some(&client)), expected);
    assert_eq!(imported_by(fixed, None, None), "nothing");
    // A document is used only where nothing had to be registered.
    let document = Import { client_document: Some("https://c.example/c.json"), ..IMPORT };
    let expected = "https://as.example [https://c.example/c.json] at rt 997400 Some(1001000)";
    assert_eq!(imported_by(document, Some(&tokens), None), expected);
    let expected = "https://as.example [c] at rt 997400 Some(1001000)";
    assert_eq!(imported_by(document, Some(&tokens), Some(&client)), expected);
    assert_eq!(imported_by(document, None, None), "nothing");
}

#[test]
fn the_id_token_in_place_of_the_access_token() {
    let import = Import { use_id_token: true, ..IMPORT };
    let token = jwt(&json!({ "iss": ISSUER, "exp": 1_000_500 }));
    let (tokens, client) = files(json!({ "id_token": token }), json!({}));
    let expected = format!("https://as.example [c] {token} rt 997400 Some(1000500)");
    assert_eq!(imported_by(import, Some(&tokens), Some(&client)), expected);
    let (tokens, _) = files(json!({}), json!({}));
    let expected = "https://as.example [c] at rt 997400 Some(1001000)";
    assert_eq!(imported_by(import, Some(&tokens), Some(&client)), expected);
}

#[test]
fn what_two_programs_must_not_share() {
    let chain = |changes: Value| {
        let (tokens, _) = files(changes, json!({}));
        LegacyTokens::read(&tokens).unwrap().chain().expose().to_owned()
    };
    assert_eq!(chain(json!({})), "rt");
    assert_eq!(chain(json!({ "refresh_token": "" })), "at");
}

#[test]
fn damage_is_no_sign_in() {
    for file in ["", "{", "null", "[]", "7", "{}", r#"{"access_token":7}"#] {
        assert!(LegacyTokens::read(file.as_bytes()).is_none(), "{file}");
        assert!(LegacyClient::read(file.as_bytes()).is_none(), "{file}");
    }
    for changes in [
        json!({ "access_token": "a\r\nX: y" }),
        json!({ "access_token": "" }),
        json!({ "token_type": "mac" }),
        json!({ "token_type": 7 }),
    ] {
        let (tokens, _) = files(changes.clone(), json!({}));
        assert!(LegacyTokens::read(&tokens).is_none(), "{changes}");
    }
    let odd = json!({ "refresh_token": "a\nb", "expires_in": -1, "expires_at": "1001000000",
        "scope": 7 });
    check(odd, json!({}), "https://as.example [c] at  900000 Some(1001000)");
    let future = json!({ "expires_in": 1, "expires_at": 9e14 });
    check(future, json!({}), "https://as.example [c] at rt 1000000 Some(900000000000)");
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(jwt(&json!({ "iss": "https://jwt.example" })))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Replacements for a few members of a file.
fn changes() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "access_token",
        "refresh_token",
        "token_type",
        "id_token",
        "expires_at",
        "expires_in",
        "issuer",
        "scope",
        "client_id",
        "client_secret",
        "redirect_uris",
        "client_secret_expires_at",
    ]);
    prop::collection::vec((name, any_json()), 0..4).prop_map(|members| {
        Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that a file may hold makes it panic, and a refresh token never comes without the
    /// issuer and the client that it belongs to.
    #[test]
    fn whatever_is_in_the_files(
        anything in any_json(),
        (tokens, client) in (changes(), changes()),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        written_at in any::<u64>(),
        now in any::<u64>(),
    ) {
        for file in [bytes, anything.to_string().into_bytes()] {
            LegacyTokens::read(&file);
            LegacyClient::read(&file);
        }
        let (tokens, client) = files(tokens, client);
        let (tokens, client) = (LegacyTokens::read(&tokens), LegacyClient::read(&client));
        let import = Import { use_id_token: written_at % 2 == 0, written_at, now, ..IMPORT };
        if let Some(record) = record(import, tokens, client) {
            let tokens = record.tokens.as_ref();
            if tokens.is_some_and(|tokens| tokens.refresh.is_some()) {
                prop_assert!(!record.issuer.is_empty() && !record.client.id.is_empty());
                prop_assert!(tokens.is_some_and(|tokens| tokens.expires_at.is_some()));
            }
            prop_assert!(record.token_endpoint.is_empty());
            prop_assert!(tokens.is_some() || !record.client.id.is_empty());
        }
    }
}
