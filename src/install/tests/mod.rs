//! One door: a file goes in, and what would stand there afterwards comes out.

mod document;
mod json;
mod layouts;
mod mcp_remote;
mod place;
mod property;
mod toml;
mod yaml;

use super::*;
use crate::secret::Secret;

fn entry(name: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        program: "/opt/apexmcp-bridge".to_owned(),
        args: vec!["https://mcp.apexmcp.ai/mcp/acme/sse".to_owned()],
        env: Vec::new(),
    }
}

fn read(text: &str) -> Document {
    Document::read(text.as_bytes().to_vec()).unwrap()
}

fn known(id: &str) -> &'static Host {
    host(id).unwrap()
}

/// What the file is after an installation.
#[track_caller]
fn installed(id: &str, before: &str, entry: &Entry) -> String {
    match install(&read(before), known(id), entry) {
        Ok(Step::Write(change)) => change.after.text().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Installs into `before`, which has a section already, and expects `after`. A second time changes
/// nothing, and taking the entry out brings every byte back.
#[track_caller]
fn check(id: &str, before: &str, after: &str) {
    let host = known(id);
    let made = installed(id, before, &entry("apexmcp"));
    assert_eq!(made, after);
    let again = install(&read(&made), host, &entry("apexmcp"));
    assert!(matches!(again, Ok(Step::Present)), "{again:?}");
    let path = vec![host.section.to_owned(), "apexmcp".to_owned()];
    let change = uninstall(&read(&made), host, vec![(path, None)]).unwrap();
    assert_eq!(change.after.text(), before, "the way back");
}

/// Expects a refusal of that text.
#[track_caller]
fn check_refused(id: &str, before: &str, expected: &str) {
    match install(&read(before), known(id), &entry("apexmcp")) {
        Err(broken) => assert_eq!(broken.to_string(), expected),
        other => panic!("{other:?}"),
    }
}

/// What the file is once this program has taken the place of mcp-remote.
#[track_caller]
fn check_migrated(id: &str, before: &str, after: &str) {
    let change = migrate(&read(before), known(id), "/opt/apexmcp-bridge").unwrap();
    assert_eq!(change.after.text(), after);
    let again = migrate(&change.after, known(id), "/opt/apexmcp-bridge").unwrap();
    assert!(again.paths.is_empty(), "once means once");
}
