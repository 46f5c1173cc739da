//! What was written into which file, so that it can be taken out again to the last byte.

use std::collections::BTreeSet;
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
    /// The entries that were written: the members on the way to each, its name last.
    entries: BTreeSet<Vec<String>>,
    /// Whether there was no file before.
    created: bool,
    /// The fingerprint of the file as it was written last.
    after: String,
    /// What makes of it the file as it was before us; `None` once somebody else has changed it.
    undo: Option<Splice>,
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
impl std::fmt::Debug for Original {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    pub fn entries(&self, file: &Path) -> BTreeSet<Vec<String>> {
        self.record(file).map(|record| record.entries.clone()).unwrap_or_default()
    }

    /// Forgets a file in which none of its entries is left: somebody has put another one there.
    pub fn forget(&mut self, file: &Path) {
        self.files.retain(|record| record.file != file);
    }

    /// Notes that entries were written; `before` is `None` if there was no file.
    pub fn wrote(
        &mut self,
        file: &Path,
        paths: &[Vec<String>],
        before: Option<&str>,
        after: &str,
        fingerprint: &Fingerprint,
    ) {
        let record = self.record(file);
        let original = match record {
            Some(record) => record.original(before.unwrap_or_default(), fingerprint),
            None => Some(before.unwrap_or_default().to_owned()),
        };
        let created = record.map_or(before.is_none(), |record| record.created);
        let mut entries = self.entries(file);
        entries.extend(paths.iter().cloned());
        self.put(Record {
            file: file.to_path_buf(),
            entries,
            created,
            after: fingerprint(after),
            undo: original.map(|original| Splice::between(after, &original)),
        });
    }

    /// Notes that entries were taken out.
    pub fn removed(
        &mut self,
        file: &Path,
        paths: &[Vec<String>],
        before: &str,
        after: &str,
        fingerprint: &Fingerprint,
    ) {
        let Some(record) = self.record(file) else { return };
        let original = record.original(before, fingerprint);
        let mut record = record.clone();
        record.entries.retain(|entry| !paths.contains(entry));
        record.after = fingerprint(after);
        record.undo = original.map(|original| Splice::between(after, &original));
        self.put(record);
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
        if record.entries.iter().any(|entry| !paths.contains(entry)) {
            return None;
        }
        let text = record.original(now, fingerprint)?;
        Some(if record.created && text.is_empty() {
            Original::Absent
        } else {
            Original::Text(text)
        })
    }

    fn record(&self, file: &Path) -> Option<&Record> {
        self.files.iter().find(|record| record.file == file)
    }

    fn put(&mut self, record: Record) {
        self.format = FORMAT;
        self.files.retain(|other| other.file != record.file);
        if !record.entries.is_empty() {
            self.files.push(record);
        }
    }
}

impl Record {
    fn original(&self, now: &str, fingerprint: &Fingerprint) -> Option<String> {
        let undo = self.undo.as_ref().filter(|_| fingerprint(now) == self.after)?;
        undo.apply(now)
    }
}

const FORMAT: u32 = 1;
