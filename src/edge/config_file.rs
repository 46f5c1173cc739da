//! The configuration files of other programs: read and replaced whole, or left alone.

use std::fs::{self, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{Builder, NamedTempFile, TempPath};
use thiserror::Error;

use crate::core::time::date;

/// The largest that is known are those of Claude Code, which keep whole histories: some 10 MiB.
const MAX_FILE: u64 = 64 << 20;
/// How many backups of one file are kept.
const MOST_BACKUPS: usize = 5;
/// In the names of everything that is made beside a file.
const MARK: &str = ".apexmcp-";
/// What the names of backups end with.
const BACKUP: &str = ".bak";
/// What the names of files end with that are about to take another one's place.
const LEFTOVER: &str = ".tmp";
/// Nobody works on a file for longer.
const LEFTOVER_AGE: Duration = Duration::from_secs(600);

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
                    Err(_) => Ok(Self { target: real(path), content: None }),
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
        let folder = self.folder();
        if self.content.is_none() {
            fs::create_dir_all(folder)?;
        }
        self.remove_leftovers();
        // Created with mode 0600 and a name that nobody can guess.
        let start = format!(".{}{MARK}", self.name());
        let mut file = Builder::new().prefix(&start).suffix(LEFTOVER).tempfile_in(folder)?;
        file.write_all(new)?;
        if let Some((_, metadata)) = &self.content {
            imp::give(file.as_file(), metadata)?;
            fs::set_permissions(file.path(), metadata.permissions())?;
        }
        file.as_file().sync_all()?;
        let copy = self.back_up(backup)?;
        self.compare()?;
        self.put(file)?;
        // What counts is what the host will read.
        if content(&self.target)? == new { Ok(self.keep(copy)) } else { Err(FileError::Changed) }
    }

    /// Puts a file in the place of this one.
    fn put(&self, file: NamedTempFile) -> Result<(), FileError> {
        let Some(old) = self.bytes() else {
            return match file.persist_noclobber(&self.target) {
                Ok(_) => Ok(()),
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                    Err(FileError::Changed)
                }
                Err(error) => Err(error.error.into()),
            };
        };
        if !imp::exchange(file.path(), &self.target)? {
            file.persist(&self.target).map_err(|error| error.error)?;
            return Ok(());
        }
        // Nobody can have written it unseen: what was there is here now, and goes with `file`.
        if content(file.path())? == old {
            return Ok(());
        }
        imp::exchange(file.path(), &self.target)?;
        Err(FileError::Changed)
    }

    /// Deletes it.
    pub fn delete(&self) -> Result<(), FileError> {
        self.check()?;
        self.compare()?;
        Ok(fs::remove_file(&self.target)?)
    }

    fn compare(&self) -> Result<(), FileError> {
        let now = match content(&self.target) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if now.as_deref() == self.bytes() { Ok(()) } else { Err(FileError::Changed) }
    }

    fn folder(&self) -> &Path {
        self.target.parent().unwrap_or_else(|| Path::new("."))
    }

    fn name(&self) -> String {
        self.target.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Copies what was read beside the file, its mode and owner too. The copy goes with what is
    /// returned, unless it is kept.
    fn back_up(&self, time: Option<u64>) -> Result<Option<NamedTempFile>, FileError> {
        let (Some(time), Some((bytes, metadata))) = (time, &self.content) else { return Ok(None) };
        let stamp: String = date(time).chars().filter(char::is_ascii_alphanumeric).collect();
        let name = |n: u32| {
            let suffix = if n == 0 { String::new() } else { format!("-{n:02}") };
            self.folder().join(format!("{}{MARK}{stamp}{suffix}{BACKUP}", self.name()))
        };
        for n in 0..100 {
            let mut file = match imp::create(&name(n)) {
                Ok(file) => NamedTempFile::from_parts(file, TempPath::try_from_path(name(n))?),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error.into()),
            };
            imp::give(file.as_file(), metadata)?;
            fs::set_permissions(file.path(), metadata.permissions())?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            return Ok(Some(file));
        }
        Err(FileError::Changed)
    }

    /// Keeps a copy, and forgets others: the oldest and the newest ones stay.
    fn keep(&self, copy: Option<NamedTempFile>) -> Option<PathBuf> {
        let (_, path) = copy?.keep().ok()?;
        let start = format!("{}{MARK}", self.name());
        let mut copies = self.beside(&start, BACKUP);
        // Whatever the clock says.
        copies.retain(|other| *other != path);
        // `…Z-01.bak` is newer than `…Z.bak`.
        copies.sort_by_key(|path| path.with_extension(""));
        let newest = copies.split_off(1.min(copies.len()));
        for old in newest.iter().rev().skip(MOST_BACKUPS - 2) {
            // One too many does no harm.
            fs::remove_file(old).ok();
        }
        Some(path)
    }

    /// Removes what a process has left that died at work.
    fn remove_leftovers(&self) {
        for path in self.beside(&format!(".{}{MARK}", self.name()), LEFTOVER) {
            let changed = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
            let age = changed.and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| LEFTOVER_AGE < age) {
                fs::remove_file(path).ok();
            }
        }
    }

    /// The files in the same folder whose names begin and end so.
    fn beside(&self, start: &str, end: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let is_it = |name: &str| name.starts_with(start) && name.ends_with(end);
        entries
            .filter(|entry| is_it(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .collect()
    }
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    let rest = there.as_ref().and_then(|(folder, _)| path.strip_prefix(folder).ok());
    match (&there, rest) {
        (Some((_, real)), Some(rest)) => real.join(rest),
        _ => path.to_path_buf(),
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
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
    use std::path::Path;

    use rustix::fs::{CWD, RenameFlags};

    /// Private, and never through a link that is there.
    pub(super) fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Lets two files change places; `false` where the file system cannot.
    pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
        use rustix::io::Errno;
        match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

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
    use std::path::Path;

    pub(super) fn create(path: &Path) -> io::Result<File> {
        File::create_new(path)
    }

    #[expect(clippy::unnecessary_wraps, reason = "one signature for every system")]
    pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

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
            assert!(matches!(file.delete(), Err(FileError::Changed)));
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), meanwhile);
            let left = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, usize::from(meanwhile.is_some()), "nothing is left lying around");
        }
    }

    /// The last look is the change of places itself.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_written_in_the_last_moment_wins_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        fs::write(&path, "a").unwrap();
        let file = ConfigFile::read(&path).unwrap();
        fs::write(&path, "b").unwrap();
        let mut new = NamedTempFile::new_in(folder.path()).unwrap();
        new.write_all(b"c").unwrap();
        assert!(matches!(file.put(new), Err(FileError::Changed)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_oldest_copy_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        fs::write(&path, "0").unwrap();
        for n in 1..10_u64 {
            let file = ConfigFile::read(&path).unwrap();
            let copy = file.replace(n.to_string().as_bytes(), Some(n / 3)).unwrap().unwrap();
            assert_eq!(fs::read_to_string(copy).unwrap(), (n - 1).to_string());
        }
        let file = ConfigFile::read(&path).unwrap();
        let mut copies = file.beside("mcp.json.apexmcp-", ".bak");
        copies.sort();
        assert_eq!(copies.len(), 5);
        assert!(copies.iter().any(|copy| fs::read_to_string(copy).unwrap() == "0"));
    }
}
