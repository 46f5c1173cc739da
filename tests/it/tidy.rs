//! The rules of the house that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// No file of `dir` holds one of `words`; tests may.
fn forbid(dir: &str, words: &[&str]) {
    for path in sources(&src().join(dir)) {
        if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for word in words {
            assert!(!text.contains(word), "{} holds `{word}`", path.display());
        }
    }
}

#[test]
fn the_core_performs_no_io() {
    forbid(
        "core",
        &[
            "async fn",
            "std::env",
            "std::fs",
            "std::net",
            "std::io",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "tokio",
            "reqwest",
            "crate::edge",
            "crate::cli",
            "crate::run",
        ],
    );
}

#[test]
fn edges_decide_nothing_and_know_nobody_above() {
    forbid("edge", &["crate::cli", "crate::run", "crate::core::bridge", "crate::mock"]);
}

#[test]
fn the_files_of_hosts_are_text_to_whoever_changes_them() {
    let io = ["std::env", "std::fs", "std::io", "std::net", "std::process", "std::thread"];
    let above = ["crate::edge", "crate::cli", "crate::run", "crate::verbs", "crate::mock"];
    forbid("install", &io);
    forbid("install", &above);
}

#[test]
fn the_mock_shares_no_code_with_the_client() {
    // Its own folders reach each other through the root of the crate.
    let own = "crate::mock::";
    for path in sources(&src().join("mock")) {
        let text = fs::read_to_string(&path).unwrap().replace(own, "");
        assert!(!text.contains("crate::"), "{} reaches outside `mock`", path.display());
    }
}

#[test]
fn every_file_is_one_room() {
    /// Longer files need a reason, and have none so far.
    const MOST: usize = 400;
    for path in sources(&src()) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= MOST, "{} has {lines} lines", path.display());
        let begins = text.starts_with("//!") || path.components().any(|p| p.as_os_str() == "tests");
        let begins = begins || path.ends_with("tests.rs");
        assert!(begins, "{} does not say what it is for", path.display());
    }
}

#[test]
fn every_error_code_is_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("docs/errors.md")).unwrap();
    let report = fs::read_to_string(root.join("src/report.rs")).unwrap();
    let codes: Vec<_> = report.split("=> -").skip(1).map(|rest| &rest[..5]).collect();
    assert!(7 < codes.len());
    for code in codes {
        assert!(docs.contains(&format!("-{code}")), "-{code} is missing in docs/errors.md");
    }
}
