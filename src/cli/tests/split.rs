//! Headers that a host has split at a blank, and what could be mistaken for the server by it.

use super::{check, render, run};

const URL: &str = "https://a.example/";
const OTHER: &str = "https://other.example/";
const PLAIN: &str = "https://a.example/ HttpFirst OAuth";
const STATIC: &str = "https://a.example/ HttpFirst Static";
const EMPTY: &str = "warning: the header `N` is not sent: its value is empty";

#[test]
fn the_next_word_is_the_value() {
    for args in [
        &[URL, "--header", "N:", "v"][..],
        &[URL, "--header=N:", "v"],
        &["--header", "N:", "v", URL],
        &["--header=N:", "v", URL],
        &["--header", "N:", "v", "--allow-http", URL],
    ] {
        check(args, &[], &format!("{PLAIN}\nN: v"));
    }
    check(&[URL, "--header", "X-Tenant:", "42"], &[], &format!("{PLAIN}\nX-Tenant: 42"));
    check(&[URL, "--header", "N:", "v", "99"], &[], &format!("{PLAIN}\nN: v\nport 99"));
    check(&["--header", "N:", "42", URL, "99"], &[], &format!("{PLAIN}\nN: 42\nport 99"));
    check(&[URL, "--header", "N:", "-v"], &[], &format!("{PLAIN}\nN: -v"));
    for args in [
        &[URL, "--header", "Authorization:", "Bearer", "${K}"][..],
        &["--header", "Authorization:", "Bearer", "${K}", URL],
        &["--header", "Authorization: Bearer", "${K}", URL],
        &["--header=Authorization:", "Bearer", "${K}", URL],
    ] {
        check(args, &[("K", "k")], &format!("{STATIC}\nAuthorization: Bearer k"));
    }
}

#[test]
fn an_address_is_a_value_too() {
    for args in [
        &["--header", "Referer:", OTHER, URL][..],
        &["--header=Referer:", OTHER, URL],
        &[URL, "--header", "Referer:", OTHER],
        &[URL, "--header=Referer:", OTHER],
    ] {
        check(args, &[], &format!("{PLAIN}\nReferer: {OTHER}"));
    }
}

#[test]
fn what_only_can_be_the_server_is_no_value() {
    check(&["--header", "N:", URL], &[], &format!("{PLAIN}\n{EMPTY}"));
    check(&["--header", "N:", URL, "99"], &[], &format!("{PLAIN}\nport 99\n{EMPTY}"));
    check(&[URL, "--header", "N:", "--debug"], &[], &format!("{PLAIN}\nDebug\n{EMPTY}"));
    check(&["--header", "N:", "", URL], &[], &format!("{PLAIN}\n{EMPTY}"));
    let slug = "https://mcp.apexmcp.ai/mcp/acme/sse SseFirst OAuth";
    check(&["--header", "N:", "acme"], &[], &format!("{slug}\n{EMPTY}"));
    let bearer = "warning: other users of this machine can read `Authorization` in the argument \
                  list; put its value into the environment: `--header 'Authorization:${NAME}'`";
    check(
        &["--header", "Authorization:", "Bearer", URL],
        &[],
        &format!("{STATIC}\nAuthorization: Bearer\n{bearer}"),
    );
}

#[test]
fn a_key_is_never_an_address() {
    let missing = "error: no server is given, expected a URL or an organisation's slug";
    for args in [
        &["--header", "X-API-Key:", "sk.example"][..],
        &["--header", "Authorization:", "Bearer", "token"],
        &["--header", "Authorization: Bearer", "token"],
        &["--header=Cookie:", "a.b"],
    ] {
        let rendered = render(&run(args, &[]));
        assert!(rendered.starts_with(missing), "{args:?}: {rendered}");
    }
}

#[test]
fn of_two_words_that_could_be_the_server_none_is_taken() {
    let refused = "error: more than one argument could be the server
        hint: write the server first, and each header as one: `--header 'NAME: VALUE'`";
    for args in [
        // `Cookie: a=1; https://…`
        &["--header", "Cookie:", "a=1;", OTHER, URL][..],
        &["--header", "Authorization:", "Token", "other.example", "acme"],
        &["--foo", OTHER, "--header", "Referer:", URL],
        &["--foo", "other.example", "--header", "N:", URL],
        &["--foo", OTHER, "--bar", URL],
        &["--foo", OTHER, "acme"],
        &["--header", "N:", OTHER, "--header", "M:", URL],
    ] {
        check(args, &[], refused);
    }
    // The first argument is where mcp-remote looks.
    let rendered = render(&run(&[URL, "--header", "Cookie:", "a=1;", OTHER], &[]));
    assert!(rendered.starts_with(PLAIN), "{rendered}");
    let port = "warning: the port is ignored, expected a number from 1 to 65535";
    check(&["--debug", URL, URL], &[], &format!("{PLAIN}\nDebug\n{port}"));
}
