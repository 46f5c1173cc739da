//! What was written into which file, so that it can be taken out again to the last byte.
//!
//! It is noted before the file is written. So a process that dies in between has written nothing
//! that nobody knows of, and which of two states the file is in shows the file itself.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::document::Splice;

/// All files that were changed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    format: u32,
    files: Vec<Record>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    file: PathBuf,
    /// Whether there was no file before.
    created: bool,
    /// As it was, if that was ours too, and as it was written after that.
    states: Vec<State>,
}

/// A file with entries of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    entries: Vec<Written>,
    /// The fingerprint of the whole file.
    after: String,
    /// What makes of it the file as it was before us; `None` once somebody else has changed it.
    undo: Option<Splice>,
}

/// An entry that was written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The members on the way to it, its name last.
    pub path: Vec<String>,
    /// The program that it starts. An entry that starts another one is not ours any more.
    pub program: String,
    /// What stood in its place, as it was written there.
    pub replaced: Option<String>,
}

/// The content of files is not for logs.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A file as it was before anything was written into it.
#[derive(Clone, PartialEq, Eq)]
pub enum Original {
    /// It was not there.
    Absent,
    /// This was its text.
    Text(String),
}

/// The content of such files is not for logs.
impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Absent { "Absent" } else { "Text(…)" })
    }
}

/// What makes a fingerprint of a text.
type Fingerprint = dyn Fn(&str) -> String;

impl Journal {
    /// Whether this version can read and continue it.
    pub fn is_known(&self) -> bool {
        self.format <= FORMAT
    }

    /// The entries that were written into a file.
    pub fn entries(&self, file: &Path) -> Vec<Written> {
        let states = self.record(file).map(|record| &*record.states).unwrap_or_default();
        let mut entries: Vec<Written> = Vec::new();
        for entry in states.iter().rev().flat_map(|state| &state.entries) {
            if !entries.iter().any(|known| known.path == entry.path) {
                entries.push(entry.clone());
            }
        }
        entries
    }

    /// Forgets a file in which none of its entries is left: somebody has put another one there.
    pub fn forget(&mut self, file: &Path) {
        self.files.retain(|record| record.file != file);
    }

    /// Notes that entries are about to be written; `before` is `None` if there is no file.
    pub fn writing(
        &mut self,
        file: &Path,
        written: &[Written],
        before: Option<&str>,
        after: &str,
        fingerprint: &Fingerprint,
    ) {
        let is_new = self.record(file).is_none();
        let created = before.is_none();
        let before = before.unwrap_or_default();
        let base = self.record(file).and_then(|record| record.state(before, fingerprint)).cloned();
        let original = match &base {
            Some(state) => state.original(before),
            None => is_new.then(|| before.to_owned()),
        };
        let known = base.as_ref().map(|state| state.entries.clone());
        let mut entries = known.unwrap_or_else(|| self.entries(file));
        entries.retain(|known| !written.iter().any(|new| new.path == known.path));
        entries.extend(written.iter().cloned());
        let next = State::new(entries, original.as_deref(), after, fingerprint);
        self.put(file, created, base, next);
    }

    /// Notes that entries are about to be taken out.
    pub fn removing(
        &mut self,
        file: &Path,
        paths: &[Vec<String>],
        before: &str,
        after: &str,
        fingerprint: &Fingerprint,
    ) {
        let Some(record) = self.record(file) else { return };
        let base = record.state(before, fingerprint).cloned();
        let original = base.as_ref().and_then(|state| state.original(before));
        let known = base.as_ref().map(|state| state.entries.clone());
        let mut entries = known.unwrap_or_else(|| self.entries(file));
        entries.retain(|entry| !paths.contains(&entry.path));
        let next = State::new(entries, original.as_deref(), after, fingerprint);
        self.put(file, false, base, next);
    }

    /// Forgets a file from which the last entry was taken out; whether there was one.
    pub fn done(&mut self, file: &Path) -> bool {
        let is_empty = |record: &Record| record.states.last().is_none_or(|s| s.entries.is_empty());
        let n_files = self.files.len();
        self.files.retain(|record| record.file != file || !is_empty(record));
        self.files.len() < n_files
    }

    /// The file as it was before us, if nobody else has changed it since and nothing of ours is to
    /// stay in it.
    pub fn original(
        &self,
        file: &Path,
        paths: &[Vec<String>],
        now: &str,
        fingerprint: &Fingerprint,
    ) -> Option<Original> {
        let record = self.record(file)?;
        let state = record.state(now, fingerprint)?;
        if state.entries.iter().any(|entry| !paths.contains(&entry.path)) {
            return None;
        }
        let text = state.original(now)?;
        Some(if record.created && text.is_empty() {
            Original::Absent
        } else {
            Original::Text(text)
        })
    }

    fn record(&self, file: &Path) -> Option<&Record> {
        self.files.iter().find(|record| record.file == file)
    }

    /// Adds a state to a file's; `created` counts where there is none yet.
    fn put(&mut self, file: &Path, created: bool, base: Option<State>, next: State) {
        self.format = FORMAT;
        let created = self.record(file).map_or(created, |record| record.created);
        self.forget(file);
        let states = base.into_iter().chain([next]).collect();
        self.files.push(Record { file: file.to_path_buf(), created, states });
    }
}

impl Record {
    /// The state in which the file is now.
    fn state(&self, now: &str, fingerprint: &Fingerprint) -> Option<&State> {
        let now = fingerprint(now);
        self.states.iter().rev().find(|state| state.after == now)
    }
}

impl State {
    fn new(
        entries: Vec<Written>,
        original: Option<&str>,
        after: &str,
        fingerprint: &Fingerprint,
    ) -> Self {
        let undo = original.map(|original| Splice::between(after, original));
        let undo = undo.filter(|undo| undo.len() <= MOST_UNDO);
        Self { entries, after: fingerprint(after), undo }
    }

    fn original(&self, now: &str) -> Option<String> {
        self.undo.as_ref()?.apply(now)
    }
}

const FORMAT: u32 = 2;
/// Between two entries at the ends of a file may be all of it, and a journal holds no whole files.
const MOST_UNDO: usize = 64 << 10;
