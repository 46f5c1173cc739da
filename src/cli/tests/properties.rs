//! What holds for every command line.

use proptest::prelude::*;

use super::{render, run};

/// Flags with their values; each group stays together.
const GROUPS: &[&[&str]] = &[
    &["https://a.example/mcp"],
    &["--debug"],
    &["--host", "127.0.0.1"],
    &["--header", "X-Org:acme"],
    &["--transport=sse-only"],
    &["--auth-timeout", "60"],
    &["--resource", "https://r.example/"],
    &["--ping-interval", "9"],
    &["--callback-path", "/cb"],
    &["--device-code"],
    &["--unknown=x"],
    &["--header", "Authorization:", "Bearer", "${TOKEN}"],
];

/// A credential, and where it may stand.
const SECRET: &str = "apx_live_sk_S3CRET";
const PLACES: &[&str] = &[
    "--header=X-API-Key:{}",
    "--header={}",
    "--header=N N:{}",
    "--header=Bearer {}:x",
    "--header-file=/secret",
    "--resource={}",
    "--resource=https://r.example/#{}",
    "--transport={}",
    "--token-store={}",
    "--host={} x",
    "--callback-path={}",
    "--auth-timeout={}",
    "--authorize-param=k={}",
    "--static-oauth-client-info={}",
    "--headers=X-API-Key:{}",
    "--{}",
    "-{}",
    "{}",
    "https://a.example/mcp?key={}",
    "https://a.example/mcp#{}",
    "https://user:{}@a.example/mcp",
    "--debug={}",
];

proptest! {
    #[test]
    fn order_means_nothing(groups in Just(GROUPS.to_vec()).prop_shuffle()) {
        let environment = [("TOKEN", "t")];
        let sorted = |args: &[&str]| {
            let rendered = render(&run(args, &environment));
            let mut lines: Vec<String> = rendered.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        prop_assert_eq!(sorted(&groups.concat()), sorted(&GROUPS.concat()));
    }

    #[test]
    fn nothing_that_is_printed_repeats_a_value(
        places in proptest::sample::subsequence(PLACES, 1..=4).prop_shuffle(),
        server in proptest::option::of(Just("https://b.example/")),
    ) {
        let args: Vec<String> = server
            .map(str::to_owned)
            .into_iter()
            .chain(places.iter().map(|place| place.replace("{}", SECRET)))
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let environment = [("/secret", SECRET), ("APEXMCP_API_KEY", SECRET)];
        let invocation = run(&args, &environment);
        prop_assert!(!format!("{invocation:?}").contains(SECRET), "{invocation:?}");
    }

    #[test]
    fn no_arguments_make_it_panic(args in proptest::collection::vec(".{0,12}", 0..6)) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        drop(run(&args, &[]));
    }

    #[test]
    fn no_flags_make_clap_disagree(
        args in proptest::collection::vec("--(header|host|debug|ipv4|resource|protocol)(=(a:|b)?)?|x:|v|[0-9]|--|-|=", 0..8)
    ) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        prop_assert!(!render(&run(&args, &[])).contains("make no sense"));
    }
}
