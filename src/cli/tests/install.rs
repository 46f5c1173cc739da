//! The verbs that work on the files of MCP hosts.

use super::{Invocation, check, run};
use crate::cli::{InstallRequest, Target};

pub(super) fn render_install(request: &InstallRequest) -> String {
    let InstallRequest { target, name, args, env, print, warnings, .. } = request;
    let env = env.iter().map(|(name, value)| format!("\n{name}={}", value.expose()));
    let warnings = warnings.iter().map(|warning| format!("\nwarning: {warning}"));
    let more: String = env.chain(warnings).collect();
    let print = if *print { " print" } else { "" };
    format!("install {name} {args:?} {}{print}{more}", render_target(target))
}

pub(super) fn render_target(target: &Target) -> String {
    let Target { hosts, dry_run, backup, force, .. } = target;
    let hosts = hosts.as_ref().map(|hosts| hosts.iter().map(|host| host.id).collect::<Vec<_>>());
    let hosts = hosts.map_or("detected".to_owned(), |hosts| format!("{hosts:?}"));
    let flags = [(*dry_run, " dry"), (!*backup, " no backup"), (*force, " force")];
    let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, text)| text);
    format!("{hosts}{}", flags.collect::<String>())
}

#[test]
fn clients_come_first_and_the_rest_is_written_as_it_stands() {
    check(
        &["install", "cursor", "zed", "acme"],
        &[],
        r#"install apexmcp ["https://mcp.apexmcp.ai/mcp/acme/sse"] ["cursor", "zed"]"#,
    );
    check(
        &["install", "--dry-run", "cursor", "https://mcp.example.com/a", "3334", "--debug"],
        &[],
        r#"install example ["https://mcp.example.com/a", "3334", "--debug"] ["cursor"] dry"#,
    );
    check(
        &["install", "--detected", "acme", "--name", "work", "--force", "--no-backup"],
        &[],
        r#"install work ["https://mcp.apexmcp.ai/mcp/acme/sse"] detected no backup force"#,
    );
    check(
        &["install", "zed", "http://127.0.0.1:8080/mcp", "--print"],
        &[],
        r#"install mcp ["http://127.0.0.1:8080/mcp"] ["zed"] print"#,
    );
    // An organisation that is called like a host.
    check(
        &["install", "zed", "https://mcp.apexmcp.ai/mcp/cursor"],
        &[],
        r#"install apexmcp ["https://mcp.apexmcp.ai/mcp/cursor"] ["zed"]"#,
    );
    check(&["install", "--migrate"], &[], "migrate detected");
    check(&["install", "--migrate", "zed", "--dry-run"], &[], r#"migrate ["zed"] dry"#);
    check(&["uninstall", "--all"], &[], "uninstall None detected");
    check(&["uninstall", "zed", "--name=my server"], &[], r#"uninstall Some("my server") ["zed"]"#);
    check(&["clients", "--json"], &[], "clients json true");
}

#[test]
fn what_is_missing_or_unknown_is_told() {
    let error = |args: &[&str]| {
        let Invocation::Misuse { message, hint } = run(args, &[]) else { panic!("{args:?}") };
        format!("{message}\n{}", hint.unwrap_or_default())
    };
    for (args, expected) in [
        (&["install"][..], "no MCP client is given, and not `--detected`"),
        (&["install", "acme"], "the clients are claude-code, claude-desktop"),
        (&["install", "cursr", "acme"], "no MCP client is given"),
        (&["install", "cursor", "zedd", "acme"], "more than a server and a port"),
        (&["install", "cursor"], "no server is given"),
        (&["install", "cursor", "--debug", "acme"], "no server is given"),
        (&["install", "cursor", "acme", "--nonsense"], "`install` has no flag `--nonsense`"),
        (&["install", "cursor", "--detected", "acme"], "do not go together"),
        (&["install", "cursor", "acme", "--name"], "`--name` needs a value"),
        (&["install", "cursor", "acme", "--name", "a b"], "`--name` is no name"),
        (&["install", "cursor", "http://mcp.example.com"], "is not encrypted"),
        (&["install", "--migrate", "--print"], "do not go together"),
        (&["install", "--migrate", "acme"], "is not the name of an MCP client"),
        (&["uninstall"], "not `--all` either"),
        (&["uninstall", "acme"], "is not the name of an MCP client"),
        (&["clients", "--jsn"], "`clients` has no flag `--jsn`"),
        (&["--debug", "install"], "`install` must be the first argument"),
        (&["install", "zed", "acme", "--ca-cert", "ca.pem"], "is no absolute path"),
        (&["install", "zed", "acme", "--static-oauth-client-info", "@c.json"], "no absolute path"),
    ] {
        let told = error(args);
        assert!(told.contains(expected), "{args:?}: {told}");
    }
}

#[test]
fn a_key_is_written_only_where_somebody_asks_for_it() {
    let key = &[("APEXMCP_API_KEY", "apx_live_sk_1"), ("APEX_KEY", "apx_live_sk_2")];
    let url = "https://mcp.apexmcp.ai/mcp/acme/sse";
    let installed = format!(r#"install apexmcp ["{url}"] ["zed"]"#);
    check(
        &["install", "zed", "acme"],
        key,
        &format!(
            "{installed}
             warning: the key in `APEXMCP_API_KEY` is not written into any file: the MCP client \
             must pass it on, or you sign in with a browser; `--write-key` writes it"
        ),
    );
    check(
        &["install", "zed", "acme", "--write-key"],
        key,
        &format!("{installed}\nAPEXMCP_API_KEY=apx_live_sk_1"),
    );
    let reference = ["install", "zed", "acme", "--header", "X-API-Key:${APEX_KEY}"];
    let installed =
        format!(r#"install apexmcp ["{url}", "--header", "X-API-Key:${{APEX_KEY}}"] ["zed"]"#);
    let with = |more: &[&'static str]| [&reference[..], more].concat();
    check(
        &with(&[]),
        &[],
        &format!(
            "{installed}
             warning: `APEX_KEY` is not set here, and the MCP client must set it; or say \
             `--env APEX_KEY`"
        ),
    );
    check(
        &with(&["--env", "APEX_KEY", "--write-key", "--env", "HTTPS_PROXY=http://p:1"]),
        &key[1..],
        &format!("{installed}\nAPEX_KEY=apx_live_sk_2\nHTTPS_PROXY=http://p:1"),
    );
    for (args, environment, expected) in [
        (with(&["--env", "APEX_KEY"]), &key[..], "`APEX_KEY` would be written into a file"),
        (with(&["--env", "APEX_KEY=k"]), &[], "`APEX_KEY` would be written into a file"),
        (with(&["--env", "APEX_KEY", "--write-key"]), &[], "`APEX_KEY` is not set"),
        (vec!["install", "zed", "acme", "--write-key"], &[], "there is no key to write"),
        (vec!["install", "zed", "acme", "--env", "=x"], &[], "names no variable"),
        (
            vec!["install", "zed", "https://a.example/mcp?api_key=apx_live_sk_3"],
            &[],
            "the key in the server's address",
        ),
        (
            vec!["install", "zed", "acme", "--header", "X-API-Key: apx_live_sk_3"],
            &[],
            "the value of `X-API-Key` would be written",
        ),
        (
            vec![
                "install",
                "zed",
                "acme",
                "--static-oauth-client-info",
                r#"{"client_id":"a","client_secret":"apx_live_sk_3"}"#,
            ],
            &[],
            "the client secret would be written",
        ),
    ] {
        let Invocation::Misuse { message, hint } = run(&args, environment) else {
            panic!("{args:?}")
        };
        assert!(message.contains(expected), "{args:?}: {message}");
        let told = format!("{message} {}", hint.unwrap_or_default());
        assert!(!told.contains("apx_live"), "{told}");
    }
}

#[test]
fn a_key_in_an_address_is_a_key() {
    let url = "https://a.example/mcp?api_key=k";
    check(&["install", "zed", url, "--write-key"], &[], &format!(r#"install a ["{url}"] ["zed"]"#));
}

#[test]
fn help_fits_80_columns() {
    for verb in ["install", "uninstall", "clients"] {
        for flag in ["--help", "-h"] {
            let Invocation::Print(text) = run(&[verb, "zed", flag], &[]) else { panic!() };
            assert!(text.contains(&format!("Usage: apexmcp-bridge {verb}")), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            if verb == "install" {
                for host in crate::install::HOSTS {
                    assert!(text.contains(host.id), "{} is missing", host.id);
                }
            }
        }
    }
}

#[test]
fn what_is_nearly_the_name_of_a_client_is_told() {
    for (args, hint) in [
        (&["install", "crusor", "acme"][..], "did you mean `cursor`?"),
        (&["install", "claude", "acme"], "did you mean `claude-code` or `claude-desktop`?"),
        (&["install", "vs-code", "acme"], "did you mean `vscode`?"),
        (
            &["install", "cursor", "claude", "acme"],
            "did you mean `claude-code` or `claude-desktop`?",
        ),
        (&["install", "LM Studio", "acme"], "did you mean `lm-studio`?"),
        (&["uninstall", "gose"], "did you mean `goose`?"),
        (&["install", "--migrate", "windsruf"], "did you mean `windsurf`?"),
        (&["install", "--dry-rum", "cursor", "acme"], "did you mean `--dry-run`?"),
        (
            &["install", "cursor", "windsruf"],
            "did you mean `windsurf`? Write the URL of a server whose slug is like that",
        ),
    ] {
        let Invocation::Misuse { hint: said, .. } = run(args, &[]) else { panic!("{args:?}") };
        assert_eq!(said.as_deref(), Some(hint), "{args:?}");
    }
    // An organisation may be called as it likes.
    for slug in ["zen", "acme", "code", "coder", "goosehead", "claude"] {
        let invocation = run(&["install", "zed", slug], &[]);
        assert!(matches!(invocation, Invocation::Install(_)), "{slug}");
    }
}
