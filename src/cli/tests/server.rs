//! Server addresses, words, verbs.

use super::{check, config};
use crate::config::TransportChoice;

#[test]
fn a_server_is_a_url_a_slug_or_an_address_without_a_scheme() {
    check(&["acme"], &[], "https://mcp.apexmcp.ai/mcp/acme/sse SseFirst OAuth");
    check(&["0-Acme"], &[], "https://mcp.apexmcp.ai/mcp/0-Acme/sse SseFirst OAuth");
    check(&["mcp.apexmcp.ai/mcp/acme"], &[], "https://mcp.apexmcp.ai/mcp/acme HttpFirst OAuth");
    check(&["localhost:8080/mcp"], &[], "https://localhost:8080/mcp HttpFirst OAuth");
    check(&["HTTPS://A.example/mcp"], &[], "HTTPS://A.example/mcp HttpFirst OAuth");
    assert_eq!(config(&["HTTPS://A.example/mcp#x"]).server.as_str(), "https://a.example/mcp");
    let neither = "error: the server is neither a URL nor the slug of an organisation
        hint: write `https://mcp.example.com/mcp`, or `acme` for the organisation `acme` at \
        mcp.apexmcp.ai";
    for text in ["apx_live_sk_1", "-", "ws://a.example", "file:///x", "C:\\x.exe", "a@b.example"] {
        check(&[text], &[], neither);
    }
    check(&["https://"], &[], "error: the server URL cannot be read: empty host");
    check(
        &["https://user:pw@a.example/mcp"],
        &[],
        "error: the server URL contains a user name or a password
        hint: pass a credential as a header: `--header 'Authorization:${NAME}'`",
    );
}

#[test]
fn without_a_server_there_is_nothing_to_do() {
    let missing = "error: no server is given, expected a URL or an organisation's slug
        hint: usage: apexmcp-bridge [OPTIONS] <SERVER> [PORT]; `--help` says more";
    for args in [&[][..], &["--debug"], &["${user_config.org}"], &[""], &["run"], &["--foo"]] {
        check(args, &[], missing);
    }
}

#[test]
fn http_is_for_this_machine() {
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST"] {
        let url = format!("http://{host}:3000/mcp");
        check(&[&url], &[], &format!("{url} HttpFirst OAuth"));
    }
    for host in ["a.example", "128.0.0.1", "localhost.a.example", "[::2]", "0.0.0.0"] {
        let url = format!("http://{host}/mcp");
        let refused = format!(
            "error: http to `{host}` is not encrypted, expected https
            hint: if that network is trusted, `--allow-http` permits it"
        );
        check(&[&url], &[], &refused);
        check(&[&url, "--allow-http"], &[], &format!("{url} HttpFirst OAuth"));
        check(&["--allow-http", &url], &[], &format!("{url} HttpFirst OAuth"));
    }
}

#[test]
fn the_path_decides_the_default_transport() {
    for (url, expected) in [
        ("https://a.example/sse", TransportChoice::SseFirst),
        ("https://a.example/x/sse/?k=v", TransportChoice::SseFirst),
        ("https://a.example/xsse", TransportChoice::HttpFirst),
        ("https://a.example/sse/mcp", TransportChoice::HttpFirst),
        ("https://a.example/mcp?x=/sse", TransportChoice::HttpFirst),
    ] {
        assert_eq!(config(&[url]).transport, expected, "{url}");
    }
}

#[test]
fn the_port_is_the_second_word() {
    check(&["acme", "3334"], &[], "https://mcp.apexmcp.ai/mcp/acme/sse SseFirst OAuth\nport 3334");
    check(&["3334", "acme"], &[], "https://mcp.apexmcp.ai/mcp/acme/sse SseFirst OAuth\nport 3334");
    check(&["3334"], &[], "https://mcp.apexmcp.ai/mcp/3334/sse SseFirst OAuth");
    check(
        &["--debug", "https://a.example/", "--host", "h", "--", "3334"],
        &[],
        "https://a.example/ HttpFirst OAuth\nport 3334\nhost h\nDebug",
    );
    for port in ["0", "65536", "3334abc", "acme"] {
        check(
            &["https://a.example/", port],
            &[],
            "https://a.example/ HttpFirst OAuth
            warning: the port is ignored, expected a number from 1 to 65535",
        );
    }
    check(
        &["https://a.example/", "1", "2", "3"],
        &[],
        "https://a.example/ HttpFirst OAuth\nport 1
        warning: 2 more argument(s) after server and port are ignored",
    );
}

#[test]
fn verbs_of_later_versions_are_no_organisations() {
    let verbs = "doctor check mock completions man logs";
    for verb in verbs.split_whitespace() {
        let refused = format!(
            "error: `{verb}` is not available in this version
            hint: for an organisation of that name, write `apexmcp-bridge run {verb}`"
        );
        check(&[verb], &[], &refused);
        check(&[verb, "https://a.example/"], &[], &refused);
        check(&["--debug", verb], &[], &refused);
        let address = format!("https://mcp.apexmcp.ai/mcp/{verb}/sse SseFirst OAuth");
        check(&["run", verb], &[], &address);
    }
    check(&["run", "acme"], &[], "https://mcp.apexmcp.ai/mcp/acme/sse SseFirst OAuth");
    check(&["--silent", "run", "https://a.example/", "9"], &[], {
        "https://a.example/ HttpFirst OAuth\nport 9\nSilent"
    });
}

#[test]
fn the_word_after_an_unknown_flag_is_the_server_only_if_nothing_else_is() {
    let warning = "warning: `--foo` is not a known flag and is skipped";
    for (args, server) in [
        (&["--foo", "bar", "https://a.example/"][..], "https://a.example/"),
        (&["https://a.example/", "--foo", "https://b.example/"], "https://a.example/"),
        (&["--foo", "https://b.example/", "https://a.example/"], "https://a.example/"),
        (&["--foo", "https://a.example/"], "https://a.example/"),
        (&["--foo", "a.example"], "https://a.example"),
        (&["--foo=bar", "https://a.example/"], "https://a.example/"),
        (&["--foo", "--foo", "https://a.example/"], "https://a.example/"),
    ] {
        check(args, &[], &format!("{server} HttpFirst OAuth\n{warning}"));
    }
    let slug = "https://mcp.apexmcp.ai/mcp/acme/sse SseFirst OAuth";
    check(&["--foo", "acme"], &[], &format!("{slug}\n{warning}"));
    check(&["acme", "--foo", "3334"], &[], &format!("{slug}\n{warning}"));
    check(
        &["--foo", "https://a.example/", "3334"],
        &[],
        &format!("https://a.example/ HttpFirst OAuth\nport 3334\n{warning}"),
    );
}
