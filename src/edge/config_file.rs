//! The configuration files of other programs: read and replaced whole, or left alone.

use std::fs::{self, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use thiserror::Error;

use crate::core::time::date;

/// The largest that is known are those of Claude Code, which keep whole histories: some 10 MiB.
const MAX_FILE: u64 = 64 << 20;
/// How many backups of one file are kept.
const MOST_BACKUPS: usize = 5;
/// In the names of backups.
const BACKUP: &str = ".apexmcp-";

/// Why a file is not changed.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is a link to nothing.
    #[error("is a link to `{0}`, which is not there")]
    Dangling(PathBuf),
    /// It is no file, or too large.
    #[error("is no file, or larger than 64 MiB")]
    Odd,
    /// Whoever can write it chooses the programs that the host starts.
    #[error("can be written by everybody on this machine")]
    Open,
    /// Its owner wants it to stay as it is.
    #[error("is read-only")]
    ReadOnly,
    /// Somebody else wrote it between our reading and our writing.
    #[error("was changed by another program just now")]
    Changed,
    /// The file system.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// A file as it was read.
#[derive(Debug)]
pub struct ConfigFile {
    /// Behind all links.
    target: PathBuf,
    content: Option<(Vec<u8>, Metadata)>,
}

impl ConfigFile {
    /// Reads it; a file that is not there is empty.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match fs::read_link(path) {
                    Ok(nothing) => Err(FileError::Dangling(nothing)),
                    Err(_) => Ok(Self { target: path.to_path_buf(), content: None }),
                };
            }
            Err(error) => return Err(error.into()),
        };
        let metadata = fs::metadata(&target)?;
        if !metadata.is_file() || MAX_FILE < metadata.len() {
            return Err(FileError::Odd);
        }
        let bytes = content(&target)?;
        Ok(Self { target, content: Some((bytes, metadata)) })
    }

    /// What is in it; `None` if it is not there.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.content.as_ref().map(|(bytes, _)| &**bytes)
    }

    /// The file behind all links.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The same, even if the file or its folder was made only now.
    pub fn real_path(&self) -> PathBuf {
        fs::canonicalize(&self.target).unwrap_or_else(|_| self.target.clone())
    }

    /// Whether it may be replaced.
    pub fn check(&self) -> Result<(), FileError> {
        let Some((_, metadata)) = &self.content else { return Ok(()) };
        if metadata.permissions().readonly() {
            return Err(FileError::ReadOnly);
        }
        if imp::is_open(metadata) { Err(FileError::Open) } else { Ok(()) }
    }

    /// Replaces it: the old content or the new one, never a part of either. Mode and owner stay.
    /// `backup` is the time for the name of a copy of what was there; returns the copy.
    pub fn replace(&self, new: &[u8], backup: Option<u64>) -> Result<Option<PathBuf>, FileError> {
        self.check()?;
        let folder = self.target.parent().unwrap_or_else(|| Path::new("."));
        if self.content.is_none() {
            fs::create_dir_all(folder)?;
        }
        // Created with mode 0600 and a name that nobody can guess.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(new)?;
        let mut kept = None;
        if let Some((_, metadata)) = &self.content {
            imp::give(file.as_file(), metadata)?;
            fs::set_permissions(file.path(), metadata.permissions())?;
            kept = backup.map(|time| self.back_up(time)).transpose()?;
        }
        file.as_file().sync_all()?;
        self.compare()?;
        file.persist(&self.target).map_err(|error| error.error)?;
        // What counts is what the host will read.
        if content(&self.target)? == new { Ok(kept) } else { Err(FileError::Changed) }
    }

    /// Deletes it; returns the copy.
    pub fn delete(&self, backup: Option<u64>) -> Result<Option<PathBuf>, FileError> {
        self.check()?;
        let kept = backup.map(|time| self.back_up(time)).transpose()?;
        self.compare()?;
        fs::remove_file(&self.target)?;
        Ok(kept)
    }

    fn compare(&self) -> Result<(), FileError> {
        let now = match content(&self.target) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if now.as_deref() == self.bytes() { Ok(()) } else { Err(FileError::Changed) }
    }

    /// Copies the file beside itself, its mode too, and forgets the oldest copies.
    fn back_up(&self, time: u64) -> Result<PathBuf, FileError> {
        let folder = self.target.parent().unwrap_or_else(|| Path::new("."));
        let name = self.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stamp: String = date(time).chars().filter(char::is_ascii_alphanumeric).collect();
        let start = format!("{name}{BACKUP}");
        let copy = (0..100)
            .map(|n| if n == 0 { String::new() } else { format!("-{n:02}") })
            .map(|suffix| folder.join(format!("{start}{stamp}{suffix}.bak")))
            .find(|copy| !copy.exists())
            .ok_or(FileError::Changed)?;
        fs::copy(&self.target, &copy)?;
        let mut copies: Vec<_> = fs::read_dir(folder)?
            .flatten()
            .filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.starts_with(&start)
            })
            .map(|entry| entry.path())
            .collect();
        // `…Z-01.bak` is newer than `…Z.bak`.
        copies.sort_by_key(|path| path.with_extension(""));
        for old in copies.iter().rev().skip(MOST_BACKUPS) {
            // One too many does no harm.
            fs::remove_file(old).ok();
        }
        Ok(copy)
    }
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug)]
pub struct ThisDisk;

impl crate::install::Disk for ThisDisk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn names(&self, dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

#[cfg(unix)]
mod imp {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::unix::fs::{MetadataExt, fchown};

    pub(super) fn is_open(metadata: &Metadata) -> bool {
        metadata.mode() & 0o002 != 0
    }

    /// The new file belongs to whom the old one belonged.
    pub(super) fn give(file: &File, old: &Metadata) -> io::Result<()> {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
            return Ok(());
        }
        fchown(file, Some(old.uid()), Some(old.gid()))
    }
}

/// Never run on Windows, where a new file takes its access list from the folder.
#[cfg(not(unix))]
mod imp {
    use std::fs::{File, Metadata};
    use std::io;

    pub(super) fn is_open(_: &Metadata) -> bool {
        false
    }

    #[expect(clippy::unnecessary_wraps, reason = "one signature for every system")]
    pub(super) fn give(_: &File, _: &Metadata) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_writes_meanwhile_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        for (before, meanwhile) in [(Some("a"), Some("b")), (None, Some("b")), (Some("a"), None)] {
            fs::remove_file(&path).ok();
            if let Some(before) = before {
                fs::write(&path, before).unwrap();
            }
            let file = ConfigFile::read(&path).unwrap();
            match meanwhile {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let written = file.replace(b"c", None);
            assert!(matches!(written, Err(FileError::Changed)), "{written:?}");
            assert!(matches!(file.delete(None), Err(FileError::Changed)));
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), meanwhile);
            let left = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, usize::from(meanwhile.is_some()), "nothing is left lying around");
        }
    }
}
