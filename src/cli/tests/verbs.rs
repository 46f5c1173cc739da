//! The verbs.

use super::{Invocation, check, run};

const LOGIN: &str = "login Person { again: false } https://a.example/ HttpFirst OAuth";

#[test]
fn a_verb_takes_the_words_of_the_bare_form() {
    check(&["login", "https://a.example/"], &[], LOGIN);
    check(
        &["login", "--host", "127.0.0.1", "https://a.example/", "99"],
        &[],
        &format!("{LOGIN}\nport 99\nhost 127.0.0.1"),
    );
    check(
        &["login", "--force", "https://a.example/"],
        &[],
        "login Person { again: true } https://a.example/ HttpFirst OAuth",
    );
    check(&["status"], &[], "status None json false check false");
    check(
        &["status", "--json", "acme", "--check"],
        &[],
        "status Some(\"https://mcp.apexmcp.ai/mcp/acme/sse\") json true check true",
    );
    check(
        &["logout", "acme"],
        &[],
        "logout Some(\"https://mcp.apexmcp.ai/mcp/acme/sse\") revoke true forget false",
    );
    check(
        &["logout", "--all", "--no-revoke", "--forget-client"],
        &[],
        "logout None revoke false forget true",
    );
}

#[test]
fn what_is_missing_or_unknown_is_told() {
    check(
        &["login"],
        &[],
        "error: no server is given, expected a URL or a slug
         hint: usage: apexmcp-bridge login [OPTIONS] <SERVER> [PORT]",
    );
    check(
        &["logout"],
        &[],
        "error: no server is given, and not `--all` either
         hint: `apexmcp-bridge status` lists the sign-ins that there are",
    );
    check(
        &["status", "--check"],
        &[],
        "error: `--check` asks a server, and none is given
         hint: `apexmcp-bridge status` lists the sign-ins that there are",
    );
    check(
        &["status", "--jsn"],
        &[],
        "error: `status` has no flag `--jsn`
         hint: `apexmcp-bridge status --help` lists them",
    );
    check(
        &["login", "acme", "-sk_Secret"],
        &[],
        "error: `login` has no flag `-…`
         hint: `apexmcp-bridge login --help` lists them",
    );
    check(
        &["--debug", "status"],
        &[],
        "error: `status` must be the first argument
         hint: write `apexmcp-bridge status …`; for an organisation of that name, `apexmcp-bridge run status`",
    );
}

#[test]
fn help_fits_80_columns() {
    for verb in ["login", "logout", "status"] {
        for flag in ["--help", "-h"] {
            let Invocation::Print(text) = run(&[verb, flag], &[]) else { panic!() };
            assert!(text.contains(&format!("Usage: apexmcp-bridge {verb}")), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }
}

#[test]
fn a_verb_that_is_mistyped_is_no_organisation() {
    const ERROR: &str = "error: the first argument is no verb, and what follows it is no port";
    for (args, hint) in [
        (&["logn", "acme"][..], "did you mean `apexmcp-bridge login …`?"),
        (&["isntall", "cursor", "acme"], "did you mean `apexmcp-bridge install …`?"),
        (&["Status", "acme", "--debug"], "did you mean `apexmcp-bridge status …`?"),
        (&["frobnicate", "https://a.example/"], "`apexmcp-bridge --help` lists the verbs"),
    ] {
        check(args, &[], &format!("{ERROR}\nhint: {hint}"));
    }
    for args in [
        &["https://a.example/", "acme"][..],
        &["a.example", "acme"],
        &["acme", "3334"],
        &["acme", "--unknown", "value"],
        &["acme", "--header", "X:", "value"],
        &["run", "logn", "acme"],
    ] {
        assert!(matches!(run(args, &[]), Invocation::Bridge { .. }), "{args:?}");
    }
}
