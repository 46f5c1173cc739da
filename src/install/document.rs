//! A file as text, and changes to it.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A file that is not changed, and where in it the reason stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct Broken {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Broken {
    /// At this byte of the text.
    pub(super) fn at(text: &str, offset: usize, reason: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column, reason: reason.into() }
    }
}

/// The text of a configuration file.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// With its byte order mark, if it has one.
    text: String,
}

/// The content of such files is not for logs: credentials stand in many of them.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.text.len())
    }
}

impl Document {
    /// Reads what is in a file, which must be UTF-8.
    pub fn read(bytes: Vec<u8>) -> Result<Self, Broken> {
        String::from_utf8(bytes).map(|text| Self { text }).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
            Broken::at(&text, text.len(), "this is not UTF-8")
        })
    }

    /// A file that is not there.
    pub fn absent() -> Self {
        Self { text: String::new() }
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Without the byte order mark.
    pub(super) fn body(&self) -> &str {
        self.text.strip_prefix(MARK).unwrap_or(&self.text)
    }

    /// The same file with changes to its [`Document::body`].
    pub(super) fn with(&self, splices: Vec<Splice>) -> Self {
        let body = apply_all(self.body(), splices);
        let mark = if self.text.starts_with(MARK) { "\u{feff}" } else { "" };
        Self { text: format!("{mark}{body}") }
    }
}

/// Replaces a part of a text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splice {
    start: usize,
    end: usize,
    text: String,
}

impl fmt::Debug for Splice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Splice({}..{}, {} bytes)", self.start, self.end, self.text.len())
    }
}

impl Splice {
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { start: at, end: at, text: text.into() }
    }

    pub(super) fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { start: range.start, end: range.end, text: text.into() }
    }

    pub(super) fn remove(range: Range<usize>) -> Self {
        Self::replace(range, "")
    }

    /// The one change that makes `to` of `from`.
    pub(super) fn between(from: &str, to: &str) -> Self {
        let same = |(a, b): &(char, char)| a == b;
        let start: usize =
            from.chars().zip(to.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
        let rest = |text: &str| text.get(start..).unwrap_or_default().to_owned();
        let (from_rest, to_rest) = (rest(from), rest(to));
        let tail: usize = from_rest
            .chars()
            .rev()
            .zip(to_rest.chars().rev())
            .take_while(same)
            .map(|(c, _)| c.len_utf8())
            .sum();
        let text = to_rest.get(..to_rest.len() - tail).unwrap_or_default().to_owned();
        Self { start, end: from.len() - tail, text }
    }

    /// Where the change begins.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The length of the new part.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text after the change; `None` if it does not fit.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let (before, after) = (text.get(..self.start)?, text.get(self.end..)?);
        (self.start <= self.end).then(|| format!("{before}{}{after}", self.text))
    }
}

/// Makes changes that do not overlap.
fn apply_all(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| (splice.start, splice.end));
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for Splice { start, end, text: new } in &splices {
        made.push_str(text.get(done..*start).unwrap_or_default());
        made.push_str(new);
        done = *end;
    }
    made.push_str(text.get(done..).unwrap_or_default());
    made
}

/// The line end that the text uses first.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|before| before.ends_with('\r')) => "\r\n",
        _ => "\n",
    }
}

/// Where the line of this offset begins.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line of this offset ends, before its line end.
pub(super) fn line_stop(text: &str, offset: usize) -> usize {
    let after = text.get(offset..).unwrap_or_default();
    let line = after.split('\n').next().unwrap_or_default();
    offset + line.strip_suffix('\r').unwrap_or(line).len()
}

/// Where the line before the one that begins here ends, before its line end.
pub(super) fn previous_stop(text: &str, line_start: usize) -> usize {
    let before = text.get(..line_start).unwrap_or_default();
    let before = before.strip_suffix('\n').unwrap_or(before);
    before.strip_suffix('\r').unwrap_or(before).len()
}

/// Where the text ends, before its last line end.
pub(super) fn content_end(text: &str) -> usize {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text).len()
}

const MARK: char = '\u{feff}';
