//! Where it is remembered what was written into the files of hosts. It holds parts of those files,
//! so it is kept as privately as a sign-in.

use std::path::Path;

use ring::digest;

use super::store::{StoreError, fs, hex};
use crate::install::Journal;

/// In the directory of the sign-ins.
const FILE: &str = "installed.json";

/// Reads it; one that is not there is empty.
pub fn load(dir: &Path) -> Result<Journal, StoreError> {
    let Some(bytes) = fs::read(dir, &dir.join(FILE))? else { return Ok(Journal::default()) };
    let journal: Journal = serde_json::from_slice(&bytes).map_err(std::io::Error::from)?;
    if journal.is_known() { Ok(journal) } else { Err(StoreError::Newer) }
}

/// Replaces it.
pub fn save(dir: &Path, journal: &Journal) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec_pretty(journal).map_err(std::io::Error::from)?;
    fs::replace(dir, &dir.join(FILE), &bytes)
}

/// SHA-256, in hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
