//! The texts of `--help`, `-h` and `--version`.

use super::{Invocation, check, run};

fn printed(args: &[&str]) -> String {
    let Invocation::Print(text) = run(args, &[]) else { panic!("{args:?} print nothing") };
    text
}

#[test]
fn help_fits_80_columns_and_is_as_reviewed() {
    for (name, flag) in [("help_short", "-h"), ("help_long", "--help")] {
        let text = printed(&[flag]);
        let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(widest.chars().count() <= 80, "{widest}");
        assert!(text.ends_with('\n') && !text.contains(" \n"), "{flag}");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn help_and_version_win_over_everything() {
    let version = concat!("print apexmcp-bridge ", env!("CARGO_PKG_VERSION"));
    check(&["--version"], &[], version);
    check(&["login", "-V", "--nonsense"], &[], version);
    check(&["https://a.example", "--header", "--version"], &[], version);
    let about = "print Connect MCP clients that speak stdio to a remote MCP gateway";
    check(&["--debug", "http://a.example", "-h"], &[], about);
    check(&["acme", "--help=all"], &[], &format!("{about}."));
    check(&["--help"], &[], &format!("{about}."));
    assert!(printed(&["--version"]).ends_with('\n'));
}

#[test]
fn the_browser_helper_is_the_first_argument_or_nothing() {
    check(&["__redirect-helper"], &[], "redirect helper");
    check(&["__redirect-helper", "--help"], &[], "redirect helper");
    let other = run(&["acme", "__redirect-helper"], &[]);
    assert!(!matches!(other, Invocation::RedirectHelper));
}
