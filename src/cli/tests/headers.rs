//! Headers: forms, files, variables, safety, access.

use super::{check, render, run};

const URL: &str = "https://a.example/";
const PLAIN: &str = "https://a.example/ HttpFirst OAuth";
const STATIC: &str = "https://a.example/ HttpFirst Static";

#[test]
fn blanks_around_a_value_do_not_count() {
    for text in ["N:v", "N: v", "N:   v", "N:v "] {
        check(&[URL, "--header", text], &[], &format!("{PLAIN}\nN: v"));
    }
    check(&[URL, "--header", "N: a: b"], &[], &format!("{PLAIN}\nN: a: b"));
}

#[test]
fn of_two_headers_with_one_name_the_last_counts() {
    check(
        &[URL, "--header", "A:1", "--header", "B:2", "--header", "a:3"],
        &[],
        &format!("{PLAIN}\nB: 2\na: 3"),
    );
}

#[test]
fn files_and_arguments_keep_their_order() {
    let files =
        [("/h", "\u{feff}# comment\n\n  A: 1\r\nno header\nB C: 2\n  C:${V}\n"), ("V", "3")];
    check(
        &["--header", "Z:0", "--header-file", "/h", URL, "--header=A:last"],
        &files,
        &format!(
            "{PLAIN}\nZ: 0\nC: 3\nA: last
            warning: line 4 of the header file `/h` is ignored, expected `Name: value`
            warning: line 5 of the header file `/h` is ignored, expected `Name: value`"
        ),
    );
    check(
        &[URL, "--header-file", "/none"],
        &[],
        "error: the header file `/none` cannot be read: no such file",
    );
    check(
        &[URL, "--header-file", "none"],
        &[],
        "error: the header file `none` cannot be read: no such file
        hint: write its absolute path: MCP clients start programs in any folder",
    );
}

#[test]
fn variables_are_expanded_once() {
    let environment = [("A", "1"), ("B", "${A}$&"), ("EMPTY", ""), ("X Y", "z")];
    for (text, expected) in [
        ("${A}", "1"),
        ("x${A}y${B}z", "x1y${A}$&z"),
        ("${X Y}", "z"),
        ("$A ${} ${A", "$A ${} ${A"),
        ("${A}${", "1${"),
    ] {
        check(
            &[URL, "--header", &format!("N:{text}")],
            &environment,
            &format!("{PLAIN}\nN: {expected}"),
        );
    }
    let none = "the environment variable `NONE` is not set or empty";
    check(
        &[URL, "--header", "N:${NONE}"],
        &[],
        &format!("{PLAIN}\nwarning: the header `N` is not sent: {none}"),
    );
    for (text, reason) in [
        ("${EMPTY}", "the environment variable `EMPTY` is not set or empty"),
        ("${user_config.key}", "its setting is not filled in"),
        ("", "its value is empty"),
    ] {
        check(
            &[URL, "--header", &format!("X-API-Key:{text}")],
            &environment,
            &format!("{PLAIN}\nwarning: the header `X-API-Key` is not sent: {reason}"),
        );
    }
}

#[test]
fn a_credential_whose_variable_is_not_there_is_an_error() {
    let environment = [("EMPTY", ""), ("K", "k")];
    for (name, text) in
        [("X-API-Key", "${NONE}"), ("Authorization", "Bearer ${K}${NONE}"), ("X-Token", "${NONE}")]
    {
        check(
            &[URL, "--header", &format!("{name}:{text}")],
            &environment,
            &format!(
                "error: the environment variable `NONE` of the header `{name}` is not set
                hint: set it where the program is started, empty if a browser may be opened instead"
            ),
        );
    }
    // Another header of that name takes its place.
    let rendered = render(&run(
        &[URL, "--header", "X-API-Key:${NONE}", "--header", "X-API-Key:${K}"],
        &environment,
    ));
    assert!(rendered.starts_with(STATIC), "{rendered}");
}

#[test]
fn a_header_cannot_smuggle_another_one() {
    for value in ["a\r\nB: c", "a\nb", "a\0b", "a\u{1b}b", "a\u{7f}b"] {
        let expected =
            "error: the value of the header `N` contains a line break or another control character";
        check(&[URL, "--header", &format!("N:{value}")], &[], expected);
    }
    check(
        &[URL, "--header", "N:${V}"],
        &[("V", "a\r\nb")],
        "error: the value of the header `N` contains a line break or another control character",
    );
    check(
        &[URL],
        &[("APEXMCP_API_KEY", "a\nb")],
        "error: the value of the header `X-API-Key` contains a line break or another control character",
    );
    check(&[URL, "--header", "N:${V}"], &[("V", "a\tb é\r\n")], &format!("{PLAIN}\nN: a\tb é"));
}

#[test]
fn a_name_is_a_token() {
    check(
        &[URL, "--header", "Bearer secret:x"],
        &[],
        "error: the header name that begins with `Bearer` is not a valid name
        hint: write `--header 'NAME:VALUE'`",
    );
    for name in ["X API Key", "Authorization ", "My token", "basic x"] {
        let refused = render(&run(&[URL, "--header", &format!("{name}:x")], &[]));
        assert!(refused.starts_with("error: the header name that begins with"), "{refused}");
    }
    check(
        &[URL, "--header", "My Header:x", "--header", "(y):x"],
        &[],
        &format!(
            "{PLAIN}
            warning: the header name that begins with `My` is not a valid name; it is not sent
            warning: the header name that begins with `` is not a valid name; it is not sent"
        ),
    );
    check(
        &[URL, "--header", "secret"],
        &[],
        &format!("{PLAIN}\nwarning: a `--header` is ignored, expected the form `NAME:VALUE`"),
    );
}

#[test]
fn what_the_bridge_sets_is_not_configured() {
    for name in [
        "Content-Length",
        "host",
        "Transfer-Encoding",
        "Connection",
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "Accept",
        "Content-Type",
        "Last-Event-ID",
    ] {
        check(
            &[URL, "--header", &format!("{name}:3")],
            &[],
            &format!(
                "{PLAIN}\nwarning: the header `{name}` is not sent: it is for the bridge to set"
            ),
        );
    }
}

#[test]
fn a_header_that_is_a_credential_makes_access_static() {
    for name in [
        "authorization",
        "Authorization",
        "X-API-Key",
        "x_api_key",
        "apikey",
        "X-Access-Key",
        "X-Auth-Key",
        "PRIVATE-TOKEN",
        "X-Auth-Token",
    ] {
        let access = run(&[URL, "--header", &format!("{name}:${{K}}")], &[("K", "k")]);
        assert!(render(&access).starts_with(STATIC), "{name}");
    }
    for name in ["X-Org", "Cookie", "CF-Access-Client-Id", "Ocp-Apim-Subscription-Key", "X-Tokens"]
    {
        let access = run(&[URL, "--header", &format!("{name}:${{K}}")], &[("K", "k")]);
        assert!(render(&access).starts_with(PLAIN), "{name}");
    }
}

#[test]
fn the_api_key_of_the_environment_is_a_header() {
    let key = [("APEXMCP_API_KEY", " k\n"), ("OTHER", "o")];
    check(&[URL], &key, &format!("{STATIC}\nX-API-Key: k"));
    check(&[URL, "--header", "x-api-KEY:${OTHER}"], &key, &format!("{STATIC}\nx-api-KEY: o"));
    check(
        &[URL, "--header", "X-API-Key:${NONE}"],
        &key,
        &format!(
            "{STATIC}\nX-API-Key: k
            warning: the header `X-API-Key` is not sent: the environment variable `NONE` is not \
            set or empty"
        ),
    );
}

#[test]
fn a_literal_credential_in_the_arguments_is_warned_of_once() {
    check(
        &[URL, "--header", "Authorization: Bearer secret", "--header", "X-API-Key:secret"],
        &[("/h", "X-API-Key: secret")],
        &format!(
            "{STATIC}\nAuthorization: Bearer secret\nX-API-Key: secret
            warning: other users of this machine can read `Authorization` in the argument list; \
            put its value into the environment: `--header 'Authorization:${{NAME}}'`"
        ),
    );
    check(
        &[URL, "--header-file", "/h"],
        &[("/h", "X-API-Key: s")],
        &format!("{STATIC}\nX-API-Key: s"),
    );
}
