//! Flags: arity, spelling, values and defaults.

use super::{Invocation, check, config, run};

const URL: &str = "https://a.example/";
const PLAIN: &str = "https://a.example/ HttpFirst OAuth";

/// Every flag of mcp-remote 0.15 with a value that it takes, and what it changes here.
const MCP_REMOTE: &[(&[&str], &str)] = &[
    (&["--header", "N:v"], "N: v"),
    (&["--header-file", "/headers"], "F: v"),
    (&["--host", "[::1]"], "host [::1]"),
    (&["--callback-path", "/cb"], "path /cb"),
    (&["--allow-http"], ""),
    (&["--transport", "http-first"], ""),
    (&["--protocol", "legacy"], "Legacy"),
    (&["--debug"], "Debug"),
    (&["--silent"], "Silent"),
    (&["--enable-proxy"], ""),
    (&["--ignore-tool", "delete*"], r#"hidden ["delete*"]"#),
    (&["--auth-timeout", "30"], "timeout 30"),
    (&["--connect-timeout", "5"], "connect 5s"),
    (&["--headers-timeout", "5"], "head Some(5s)"),
    (&["--body-timeout", "2.5"], "pause Some(2.5s)"),
    (&["--ipv4"], "IPv4"),
    (&["--keep-alive"], "ping Every(30s)"),
    (&["--ping-interval", "9.5"], "ping Every(9.5s)"),
    (&["--resource", "https://r.example/"], "resource https://r.example/"),
    (&["--disable-resource-parameter"], "no resource"),
    (&["--authorize-param", "prompt=consent"], r#"params [("prompt", "consent")]"#),
    (
        &["--static-oauth-client-metadata", r#"{"scope":"x"}"#],
        r#"registration {"scope": String("x")}"#,
    ),
    (&["--static-oauth-client-info", "@/client.json"], r#"client c Some("s") None false"#),
    (&["--client-metadata-url", "https://c.example/c.json"], "document https://c.example/c.json"),
    (&["--use-id-token"], "ID token"),
    (&["--device-code"], "Device"),
    (&["--disable-cookies"], "no cookies"),
    (&["--auth-success-url", "https://s.example/"], "success https://s.example/"),
];
const FOLDER: &str = if cfg!(windows) { r"C:\state" } else { "/state" };

#[test]
fn no_flag_of_mcp_remote_is_misread() {
    let files = [
        ("/headers", "F: v"),
        ("/client.json", r#"{"client_id":"c","client_secret":"${SECRET}"}"#),
        ("SECRET", "s"),
    ];
    for &(flag, effect) in MCP_REMOTE {
        let [name, value @ ..] = flag else { continue };
        let mut expected = PLAIN.to_owned();
        if !effect.is_empty() {
            expected = format!("{PLAIN}\n{effect}");
        }
        check(&[&[URL], flag].concat(), &files, &expected);
        check(&[flag, &[URL]].concat(), &files, &expected);
        if let [value] = value {
            let joined = format!("{name}={value}");
            check(&[&joined, URL], &files, &expected);
        }
        let with_port = expected.replacen("OAuth", "OAuth\nport 99", 1);
        if effect.is_empty() {
            check(&[&["99"], flag, &[URL]].concat(), &files, &with_port);
        }
    }
}

/// The table of the docs says of every flag what becomes of it.
#[test]
fn the_docs_tell_the_truth_about_every_flag() {
    let docs = include_str!("../../../docs/from-mcp-remote.md");
    let rows: Vec<_> = docs.lines().filter(|line| line.starts_with("| `--")).collect();
    let more = ["--client-credentials", "--token-endpoint"];
    let flags = MCP_REMOTE.iter().filter_map(|(flag, _)| flag.first().copied());
    let mut n_flags = 0;
    for flag in flags.chain(more) {
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{flag}` |")));
        let row = row.unwrap_or_else(|| panic!("`{flag}` is not in the table"));
        assert!(!row.contains("no effect"), "{row}");
        n_flags += 1;
    }
    assert_eq!(rows.len(), n_flags, "the table has flags that nobody knows");
}

#[test]
fn eras() {
    check(&[URL, "--protocol", "auto"], &[], PLAIN);
    check(&[URL, "--protocol", "modern"], &[], &format!("{PLAIN}\nModern"));
    let warning = "warning: `--protocol` is ignored, expected `auto`, `legacy` or `modern`";
    check(&[URL, "--protocol", "2026"], &[], &format!("{PLAIN}\n{warning}"));
}

#[test]
fn the_first_occurrence_counts() {
    let warning = "is given more than once; the first one counts";
    check(
        &["--host", "a", URL, "--host=b"],
        &[],
        &format!("{PLAIN}\nhost a\nwarning: `--host` {warning}"),
    );
    check(&[URL, "--debug", "--debug"], &[], &format!("{PLAIN}\nDebug"));
    check(
        &["--protocol", "auto", "--protocol", "modern", URL],
        &[],
        &format!("{PLAIN}\nwarning: `--protocol` {warning}"),
    );
    check(
        &[URL, "--ignore-tool", "a", "--ignore-tool", "b"],
        &[],
        &format!(r#"{PLAIN}{}hidden ["a", "b"]"#, "\n"),
    );
}

#[test]
fn an_unknown_flag_gets_a_suggestion_and_nothing_of_its_value() {
    for (flag, warning) in [
        (
            "--tranport=sse-only",
            "`--tranport` is not a known flag and is skipped; did you mean `--transport`?",
        ),
        (
            "--headers=X:secret",
            "`--headers` is not a known flag and is skipped; did you mean `--header`?",
        ),
        ("--zzz", "`--zzz` is not a known flag and is skipped"),
        ("-v", "`-v` is not a known flag and is skipped"),
        ("-sk_Secret", "an argument that begins with `-` is not a known flag and is skipped"),
    ] {
        let expected = format!("{PLAIN}\nwarning: {warning}");
        check(&[URL, flag], &[], &expected);
        check(&[flag, flag, URL], &[], &expected);
    }
}

#[test]
fn a_flag_is_never_the_value_of_a_flag() {
    let missing = "warning: `--host` needs a value and is ignored";
    check(&[URL, "--host", "--debug"], &[], &format!("{PLAIN}\nDebug\n{missing}"));
    check(&["--debug", URL, "--host"], &[], &format!("{PLAIN}\nDebug\n{missing}"));
    check(
        &["--auth-timeout", "-5", URL],
        &[],
        &format!("{PLAIN}\nwarning: `--auth-timeout` is ignored, expected 1 to 86400 seconds"),
    );
}

#[test]
fn a_bad_value_is_a_warning_and_the_default() {
    for (flags, expected) in [
        (
            "--transport=stdio",
            "`--transport` is ignored, expected `http-first`, `sse-first`, `http-only` or `sse-only`",
        ),
        ("--callback-path=cb", "`--callback-path` is ignored, expected `/` and a path"),
        ("--callback-path=/a?b", "`--callback-path` is ignored, expected `/` and a path"),
        ("--callback-path=/a/../b", "`--callback-path` is ignored, expected `/` and a path"),
        ("--host=a/b", "`--host` is ignored, expected a host name"),
        ("--host=a:80", "`--host` is ignored, expected a host name"),
        ("--auth-timeout=0", "`--auth-timeout` is ignored, expected 1 to 86400 seconds"),
        ("--auth-timeout=1e9", "`--auth-timeout` is ignored, expected 1 to 86400 seconds"),
    ] {
        check(&[flags, URL], &[], &format!("{PLAIN}\nwarning: {expected}"));
    }
    check(
        &[URL, "--resource", "r"],
        &[],
        "error: `--resource` is not an absolute URI without a fragment",
    );
    check(&[URL, "--resource", " urn:r "], &[], &format!("{PLAIN}\nresource urn:r"));
}

#[test]
fn a_setting_that_a_bundle_left_empty_is_not_given() {
    let args = [
        "--host=",
        "--callback-path",
        "${user_config.path}",
        "--debug=${user_config.debug}",
        "--ipv4=",
        "--silent=false",
        "--protocol=${user_config.protocol}",
        "--token-store=",
        "--header=",
        URL,
        "${user_config.port}",
        "--resource=${user_config.resource}",
    ];
    check(&args, &[], PLAIN);
    check(&["--debug=true", URL], &[], &format!("{PLAIN}\nDebug"));
    check(
        &["--debug=yes", URL],
        &[],
        &format!("{PLAIN}\nDebug\nwarning: `--debug` takes no value; the value is ignored"),
    );
    check(&[URL, "--resource", ""], &[], &format!("{PLAIN}\nno resource"));
}

#[test]
fn debug_wins_over_silent() {
    check(&["--silent", "--debug", URL], &[], &format!("{PLAIN}\nDebug"));
}

#[test]
fn the_environment_names_store_folder_and_browser() {
    let environment = [
        ("APEXMCP_BRIDGE_STATE_DIR", FOLDER),
        ("APEXMCP_BRIDGE_BROWSER", "open"),
        ("APEXMCP_BRIDGE_TOKEN_STORE", "file"),
    ];
    check(&[URL], &environment, &format!("{PLAIN}\nbrowser open\nstate in {FOLDER}\nFile"));
    check(
        &[URL, "--token-store", "memory"],
        &environment,
        &format!("{PLAIN}\nbrowser open\nstate in {FOLDER}\nMemory"),
    );
    check(&[URL, "--token-store", "keyring"], &[], PLAIN);
    check(
        &[URL, "--token-store", "disk"],
        &[],
        "error: `--token-store` is not `keychain`, `file` or `memory`",
    );
    check(
        &[URL],
        &[("APEXMCP_BRIDGE_TOKEN_STORE", "disk")],
        "error: `APEXMCP_BRIDGE_TOKEN_STORE` is not `keychain`, `file` or `memory`",
    );
    check(
        &[URL],
        &[("APEXMCP_BRIDGE_STATE_DIR", "state")],
        "error: `APEXMCP_BRIDGE_STATE_DIR` is not an absolute path",
    );
    let unset = [
        ("APEXMCP_BRIDGE_STATE_DIR", ""),
        ("APEXMCP_BRIDGE_BROWSER", "${user_config.browser}"),
        ("APEXMCP_BRIDGE_TOKEN_STORE", " "),
        ("APEXMCP_API_KEY", "${user_config.api_key}"),
    ];
    check(&[URL], &unset, PLAIN);
}

#[test]
fn a_port_where_no_browser_comes_back_is_told() {
    let told = |port: &str| {
        let Invocation::Bridge { warnings, .. } = run(&["acme", port], &[]) else { panic!() };
        warnings.iter().any(|warning| warning.contains("browsers open no page"))
    };
    assert!(told("6667") && !told("6670"));
}

#[test]
fn the_preferred_port_is_that_of_mcp_remote() {
    for (args, port) in [
        (&["acme"][..], 35143),
        (&["https://mcp.apexmcp.ai/mcp/acme/sse"], 35143),
        (
            &["https://mcp.atlassian.com/v1/sse", "--resource", " https://tenant1.atlassian.net/"],
            12116,
        ),
    ] {
        assert_eq!(config(args).login.preferred_port, port, "{args:?}");
    }
    let args = ["https://mcp.apexmcp.ai/mcp/acme/sse", "--header", "X-API-Key: ${APEX_KEY}"];
    for value in ["one", "two"] {
        let Invocation::Bridge { config, .. } = run(&args, &[("APEX_KEY", value)]) else {
            panic!()
        };
        assert_eq!(config.login.preferred_port, 4177);
    }
}

#[cfg(unix)]
#[test]
fn arguments_are_utf_8() {
    use std::os::unix::ffi::OsStringExt as _;
    let args = vec!["acme".into(), std::ffi::OsString::from_vec(vec![0xff])];
    let invocation = super::parse(args, &super::Fixture::default());
    assert_eq!(super::render(&invocation), "error: argument 2 is not valid UTF-8");
}
