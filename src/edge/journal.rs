//! Where it is remembered what was written into the files of hosts. It holds parts of those files,
//! so it is kept as privately as a sign-in.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::digest;
use thiserror::Error;

use super::store::{StoreError, fs, hex, take};
use crate::install::Journal;

/// In the directory of the sign-ins.
const FILE: &str = "installed.json";
/// Beside it.
const LOCK: &str = "installed.lock";
/// A run takes less than a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why it cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process changes files of hosts just now.
    #[error("another `install` or `uninstall` has been at work for {0} s; run this again then")]
    Busy(u64),
    /// It was cut off, or somebody else wrote it.
    #[error("`{0}` is damaged; delete it")]
    Damaged(PathBuf),
    /// Another format.
    #[error("`{0}` was written by another version of this program")]
    Version(PathBuf),
    /// The folder, which is that of the sign-ins.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// While this is held, nobody else of this program changes files of hosts. Closing it is what gives
/// it back.
pub fn lock(dir: &Path) -> Result<File, JournalError> {
    take(dir, LOCK, None, PATIENCE).map_err(|error| match error {
        StoreError::Busy(seconds) => JournalError::Busy(seconds),
        other => JournalError::Store(other),
    })
}

/// Reads it; one that is not there is empty.
pub fn load(dir: &Path) -> Result<Journal, JournalError> {
    let path = dir.join(FILE);
    let Some(bytes) = fs::read(dir, &path)? else { return Ok(Journal::default()) };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        return Err(JournalError::Damaged(path));
    };
    match serde_json::from_value::<Journal>(value) {
        Ok(journal) if journal.is_known() => Ok(journal),
        Ok(_) | Err(_) => Err(JournalError::Version(path)),
    }
}

/// Replaces it.
pub fn save(dir: &Path, journal: &Journal) -> Result<(), JournalError> {
    let bytes = serde_json::to_vec_pretty(journal).map_err(std::io::Error::from);
    let bytes = bytes.map_err(StoreError::from)?;
    Ok(fs::replace(dir, &dir.join(FILE), &bytes)?)
}

/// SHA-256, in hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
