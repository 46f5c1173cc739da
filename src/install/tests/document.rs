//! Changes, diffs, masks, names and the journal.

use std::path::Path;

use url::Url;

use super::*;

/// Of a file that is there before and after.
fn unified(file: &str, before: &str, after: &str) -> String {
    super::unified(file, before, after, (Side::File, Side::File))
}

#[test]
fn a_diff_shows_the_place() {
    let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
    let after = "a\nb\nc\nd\nE\nf\nnew\ng\nh\n";
    assert_eq!(
        unified("x", before, after),
        "--- x\n+++ x\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n+new\n g\n h\n"
    );
    assert_eq!(unified("x", before, before), "");
    assert_eq!(unified("x", "", "a\n"), "--- x\n+++ x\n@@ -0,0 +1,1 @@\n+a\n");
    let sides = (Side::Nothing, Side::File);
    let made = super::unified("x", "", "a\n", sides);
    assert_eq!(made, "--- /dev/null\n+++ x\n@@ -0,0 +1,1 @@\n+a\n");
    let sides = (Side::File, Side::Nothing);
    let deleted = super::unified("x", "a\n", "", sides);
    assert_eq!(deleted, "--- x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
    assert_eq!(unified("x", "a\nb\na\n", "a\n"), "--- x\n+++ x\n@@ -1,3 +1,1 @@\n a\n-b\n-a\n");
    let long = |word: &str| format!("{word}\n").repeat(3000);
    assert_eq!(unified("x", &long("a"), &long("b")).lines().count(), 6003);
}

#[test]
fn credentials_are_masked() {
    for (text, shown) in [
        (r#"+  "API_KEY": "s3cret","#, r#"+  "API_KEY": "…","#),
        (r#" "X-API-Key:s3cret", "--debug""#, r#" "X-API-Key:…", "--debug""#),
        (r#""Authorization: Bearer s3cret""#, r#""Authorization: …""#),
        (r#""Authorization:${TOKEN}""#, r#""Authorization:${TOKEN}""#),
        (r#""--api-key", "s3cret""#, r#""--api-key", "…""#),
        ("\"--api-key\",\n  \"s3cret\",\n\"b\"", "\"--api-key\",\n  …\n\"b\""),
        ("    - --token\n    - s3cret\n", "    - --token\n    - …\n"),
        ("apiKey: s3cret", "apiKey: …"),
        ("env = { DATABASE_URL = \"s3cret\" }", "env = { DATABASE_URL = \"…\" }"),
        ("args = [\"--password=s3cret\", \"x\"]", "args = [\"--password=…\", \"x\"]"),
        ("https://a.example/mcp?api_key=s3cret", "https://a.example/mcp?api_key=…"),
        (r#"  "command": "/opt/x","#, r#"  "command": "/opt/x","#),
        (r#"{"env": {"K1": "s3cret"}}"#, r#"{"env": {"K1": "…"}}"#),
        (r#"  "tokens": {"#, r#"  "tokens": {"#),
    ] {
        assert_eq!(masked(text), shown);
    }
}

#[test]
fn names_are_short_and_plain() {
    for (url, name) in [
        ("https://mcp.apexmcp.ai/mcp/acme/sse", "apexmcp"),
        ("https://mcp.example.com", "example"),
        ("https://example.com/mcp", "example"),
        ("https://api.mcp.io/", "mcp"),
        ("http://localhost:8080/mcp", "localhost"),
        ("http://127.0.0.1:8080/mcp", "mcp"),
        ("http://[::1]:8080/mcp", "mcp"),
    ] {
        assert_eq!(suggested_name(&Url::parse(url).unwrap()), name, "{url}");
    }
    assert!(!valid_name("") && !valid_name("a b") && !valid_name(&"a".repeat(33)));
}

#[test]
fn nothing_prints_what_stands_in_a_file() {
    let mut secret = entry("apexmcp");
    secret.env.push(("K".to_owned(), Secret::new("s3cret".to_owned())));
    let step = install(&read("{\"s3cret\": \"s3cret\"}"), known("cursor"), &secret).unwrap();
    let value = secret.value(Shape::Plain);
    assert!(!format!("{step:?} {secret:?} {value:?}").contains("s3cret"));
}

fn fingerprint(text: &str) -> String {
    format!("{}:{text}", text.len())
}

fn path(name: &str) -> Vec<String> {
    vec!["s".to_owned(), name.to_owned()]
}

fn written(name: &str) -> Written {
    Written { path: path(name), program: "/p".to_owned(), replaced: None }
}

#[test]
fn the_journal_knows_the_way_back() {
    let file = Path::new("/f");
    let [a, b] = ["a", "b"].map(|name| [path(name)]);
    let both = [path("a"), path("b")];
    let before = Some(Original::Text("ö{}".to_owned()));
    let mut journal = Journal::default();
    journal.writing(file, &[written("a")], Some("ö{}"), "ö{a}", &fingerprint);
    assert_eq!(journal.original(file, &a, "ö{a}", &fingerprint), before);
    journal.writing(file, &[written("b")], Some("ö{a}"), "ö{ab}", &fingerprint);
    assert_eq!(journal.original(file, &a, "ö{a}", &fingerprint), before, "it was not written");
    assert_eq!(journal.original(file, &a, "ö{ab}", &fingerprint), None, "b stays");
    assert_eq!(journal.original(file, &both, "ö{ab}", &fingerprint), before);
    assert_eq!(journal.original(file, &both, "ö{ab} ", &fingerprint), None, "somebody was there");
    journal.removing(file, &a, "ö{ab}", "ö{b}", &fingerprint);
    assert_eq!(journal.original(file, &both, "ö{ab}", &fingerprint), before, "it stays for now");
    assert!(!journal.done(file));
    assert_eq!(journal.original(file, &b, "ö{b}", &fingerprint), before);
    journal.removing(file, &b, "ö{b}", "ö{}", &fingerprint);
    assert_eq!(journal.original(file, &b, "ö{b}", &fingerprint), before, "it stays for now");
    assert!(journal.done(file));
    assert!(journal.entries(file).is_empty());
    assert_eq!(journal.original(file, &b, "ö{}", &fingerprint), None);
}

#[test]
fn a_file_that_others_change_has_no_way_back_but_a_new_one_has() {
    let file = Path::new("/f");
    let entry = || [Written { replaced: Some("s3cret".to_owned()), ..written("a") }];
    let mut journal = Journal::default();
    journal.writing(file, &entry(), None, "{a}", &fingerprint);
    assert_eq!(journal.original(file, &[path("a")], "{a}", &fingerprint), Some(Original::Absent));
    journal.writing(file, &entry(), Some("{a, x}"), "{A, x}", &fingerprint);
    assert_eq!(journal.original(file, &[path("a")], "{A, x}", &fingerprint), None);
    assert!(!format!("{journal:?}").contains("s3cret"));
    let text = serde_json::to_string(&journal).unwrap();
    let again: Journal = serde_json::from_str(&text).unwrap();
    assert!(again.is_known());
    assert_eq!(again.entries(file), entry());
}

#[test]
fn a_journal_holds_no_whole_files() {
    let file = Path::new("/f");
    let before = "x".repeat(100_000);
    let mut journal = Journal::default();
    journal.writing(file, &[written("a")], Some(&before), "y", &fingerprint);
    assert_eq!(journal.original(file, &[path("a")], "y", &fingerprint), None);
    assert_eq!(journal.entries(file), [written("a")]);
}
