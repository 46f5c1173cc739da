//! What the flags say about signing in.

use super::{check, config};
use crate::cli::sign_in;

const URL: &str = "https://a.example/";
const PLAIN: &str = "https://a.example/ HttpFirst OAuth";
const CLIENT: &str = r#"{"client_id":"c","client_secret":"s"}"#;

#[test]
fn a_machine_needs_a_client_of_its_own_and_keeps_nothing() {
    let machine = r#"Client { token_endpoint: None }"#;
    let client = r#"client c Some("s") None false"#;
    check(
        &[URL, "--client-credentials", "--static-oauth-client-info", CLIENT],
        &[],
        &format!("{PLAIN}\n{machine}\n{client}\nMemory"),
    );
    check(
        &[URL, "--client-credentials"],
        &[],
        "error: `--client-credentials` needs a client with a secret or a key
         hint: --static-oauth-client-info '{\"client_id\":\"…\",\"client_secret\":\"${CLIENT_SECRET}\"}'",
    );
    check(
        &[URL, "--token-endpoint", "https://t.example/token"],
        &[],
        &format!(
            "{PLAIN}\nwarning: `--token-endpoint` has no effect without `--client-credentials`"
        ),
    );
    for endpoint in ["http://t.example/token", "https://u@t.example/token", "token"] {
        check(
            &[
                URL,
                "--client-credentials",
                "--static-oauth-client-info",
                CLIENT,
                "--token-endpoint",
                endpoint,
            ],
            &[],
            "error: `--token-endpoint` is not an https URL without user name and fragment",
        );
    }
}

#[test]
fn client_info_is_read_or_refused_and_never_repeated() {
    for (info, error) in [
        ("{", "is not a JSON object"),
        ("[1]", "is not a JSON object"),
        (r#"{"client_secret":"apx_secret"}"#, "has no `client_id`"),
        (r#"{"client_id":""}"#, "has no `client_id`"),
    ] {
        let expected = format!("error: `--static-oauth-client-info` {error}");
        check(&[URL, "--static-oauth-client-info", info], &[], &expected);
    }
    check(
        &[URL, "--static-oauth-client-info", "@client.json"],
        &[],
        "error: `--static-oauth-client-info`: cannot read `client.json`: no such file
         hint: give the whole path: MCP clients start programs in any folder",
    );
    check(
        &[URL, "--static-oauth-client-info", r#"{"client_id":"${NOT_SET}"}"#],
        &[],
        "error: `--static-oauth-client-info`: the environment variable `NOT_SET` is not set or empty",
    );
}

#[test]
fn a_key_belongs_to_a_client() {
    check(
        &[URL, "--client-private-key", "/key.pem"],
        &[("/key.pem", "no key")],
        "error: `--client-private-key`: not an unencrypted PKCS#8 key (`BEGIN PRIVATE KEY`) of P-256, Ed25519 or RSA with 2048 bits or more",
    );
}

#[test]
fn parameters_that_the_sign_in_depends_on_are_not_touched() {
    for name in ["client_id", "state", "code_challenge", "redirect_uri"] {
        check(
            &[URL, "--authorize-param", &format!("{name}=x")],
            &[],
            &format!("error: `--authorize-param` cannot set `{name}`: the sign-in depends on it"),
        );
    }
    for bad in ["prompt", "=x"] {
        check(
            &[URL, "--authorize-param", bad],
            &[],
            "error: an `--authorize-param` is not of the form `NAME=VALUE`",
        );
    }
    check(
        &[URL, "--authorize-param", "a=1", "--authorize-param", "b==2", "--authorize-param", "a=3"],
        &[],
        &format!(r#"{PLAIN}{}params [("b", "=2"), ("a", "3")]"#, "\n"),
    );
}

#[test]
fn pages_and_documents_must_be_safe_places() {
    for bad in ["http://s.example/", "https://s.example/?x=1", "https://u@s.example/", "x"] {
        check(
            &[URL, "--auth-success-url", bad],
            &[],
            "error: `--auth-success-url` is not an https URL without user name, query and fragment",
        );
    }
    check(
        &[URL, "--auth-success-url", "http://127.0.0.1:8080/done"],
        &[],
        &format!("{PLAIN}\nsuccess http://127.0.0.1:8080/done"),
    );
    check(
        &[URL, "--client-metadata-url", "https://c.example/"],
        &[],
        &format!(
            "{PLAIN}\nwarning: `--client-metadata-url` is ignored, expected an https URL with a path"
        ),
    );
}

#[test]
fn sign_ins_that_differ_are_kept_apart() {
    let key = |args: &[&str]| config(&[&[URL], args].concat()).store_key;
    let plain = key(&[]);
    assert_eq!(plain, "https://a.example/\n");
    let mut keys = vec![plain];
    for args in [
        &["--resource", "urn:r"][..],
        &["--authorize-param", "prompt=login"],
        &["--header", "X-Tenant: a"],
        &["--header", "X-Tenant: b"],
        &["--static-oauth-client-info", CLIENT],
        &["--client-metadata-url", "https://c.example/c.json"],
    ] {
        keys.push(key(args));
    }
    let n_keys = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), n_keys, "{keys:?}");
    for args in [&["--debug"][..], &["--auth-timeout", "9"], &["--transport", "sse-only"]] {
        assert_eq!(key(args), key(&[]), "{args:?}");
    }
    assert_eq!(sign_in::DEFAULT_HOST, config(&[URL]).login.redirect_host);
}

#[cfg(all(unix, not(target_os = "macos")))]
mod desktop {
    use super::super::Fixture;
    use crate::cli::desktop::look;

    fn check(environment: &[(&'static str, &'static str)], headless: bool, missing: &[&str]) {
        let desktop = look(&Fixture(environment.iter().copied().collect()));
        let found: Vec<_> = desktop
            .missing
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            (desktop.headless, found.iter().map(String::as_str).collect::<Vec<_>>()),
            (headless, missing.to_vec()),
            "{environment:?}"
        );
    }

    #[test]
    fn what_a_host_has_left_out_is_found_again() {
        check(&[], true, &[]);
        check(&[("DISPLAY", ":1")], false, &[]);
        check(&[("WAYLAND_DISPLAY", "wayland-1")], false, &[]);
        check(&[("BROWSER", "firefox")], false, &[]);
        check(&[("WSL_DISTRO_NAME", "Debian")], false, &[]);
        let bus = "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus";
        check(
            &[
                ("/run/user/1000/bus", ""),
                ("/run/user/1000/wayland-0", ""),
                ("/run/user/1000/wayland-0.lock", ""),
            ],
            false,
            &["XDG_RUNTIME_DIR=/run/user/1000", bus, "WAYLAND_DISPLAY=wayland-0"],
        );
        check(
            &[
                ("XDG_RUNTIME_DIR", "/run/user/1000"),
                ("/run/user/1000/bus", ""),
                ("/run/user/1000/.mutter-Xwaylandauth.AB12", ""),
                ("/tmp/.X11-unix/X0", ""),
            ],
            false,
            &[bus, "DISPLAY=:0", "XAUTHORITY=/run/user/1000/.mutter-Xwaylandauth.AB12"],
        );
        // A session without a screen.
        check(&[("/run/user/1000/bus", "")], true, &["XDG_RUNTIME_DIR=/run/user/1000", bus]);
    }

    #[test]
    fn who_is_connected_from_elsewhere_sits_elsewhere() {
        let session = ("/run/user/1000/wayland-0", "");
        check(&[session, ("SSH_CONNECTION", "1.2.3.4 1 5.6.7.8 22")], true, &[]);
        check(&[("DISPLAY", "localhost:10.0"), ("SSH_CONNECTION", "x")], false, &[]);
    }
}
