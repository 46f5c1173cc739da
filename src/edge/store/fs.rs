//! Files that hold credentials: private from their first byte, never followed through a link,
//! replaced whole.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::StoreError;

/// No record is larger; more is not ours.
const MAX_FILE: u64 = 1 << 20;

/// The content of a file; `None` if it is not there.
pub(in crate::edge) fn read(dir: &Path, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    if !dir.exists() {
        return Ok(None);
    }
    check_dir(dir)?;
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    check(path, &metadata)?;
    if !metadata.is_file() || MAX_FILE < metadata.len() {
        return Err(refuse(path, "is no file, or larger than any sign-in"));
    }
    let mut bytes = Vec::new();
    imp::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Replaces a file: the old content or the new one, never a part of either.
pub(in crate::edge) fn replace(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    make(dir)?;
    // Created with mode 0600 and a name that nobody can guess.
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    imp::sync_dir(dir)?;
    Ok(())
}

/// Opens the lock file, which is never removed: two processes that wait for one file must not
/// come to hold two.
///
/// Where nothing can be written it is opened for reading, which is enough for the kernel; where it
/// was never made, `instead` is.
pub(super) fn open_lock(
    dir: &Path,
    path: &Path,
    instead: Option<&Path>,
) -> Result<File, StoreError> {
    make(dir)?;
    match path.symlink_metadata() {
        Ok(metadata) => check(path, &metadata)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let error = match imp::create(path) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    let kinds = [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied];
    if kinds.contains(&error.kind()) {
        for path in [Some(path), instead].into_iter().flatten() {
            if path.symlink_metadata().is_ok_and(|metadata| check(path, &metadata).is_ok())
                && let Ok(file) = imp::open(path)
            {
                return Ok(file);
            }
        }
    }
    Err(error.into())
}

/// Whether this open file is still what is found at its path: a lock on one that was deleted keeps
/// nobody away.
pub(super) fn is_there(file: &File, path: &Path, instead: Option<&Path>) -> bool {
    let Ok(own) = file.metadata() else { return true };
    let found = |path: &Path| path.symlink_metadata().is_ok_and(|found| imp::same(&own, &found));
    [Some(path), instead].into_iter().flatten().any(found)
}

/// Why nothing can be written, if so.
pub(super) fn try_to_write(dir: &Path) -> Result<(), StoreError> {
    let mut file = NamedTempFile::new_in(dir)?;
    // As much as a record takes, about.
    file.write_all(&[0; 8 << 10])?;
    Ok(file.as_file().sync_all()?)
}

/// Refuses a directory in which somebody else may have put something.
pub(super) fn check_dir(dir: &Path) -> Result<(), StoreError> {
    check(dir, &dir.symlink_metadata()?)
}

fn make(dir: &Path) -> Result<(), StoreError> {
    imp::create_dir(dir)?;
    check_dir(dir)
}

fn check(path: &Path, metadata: &std::fs::Metadata) -> Result<(), StoreError> {
    if metadata.is_symlink() {
        return Err(refuse(path, "is a link; credentials are not kept behind one"));
    }
    match imp::objection(metadata) {
        Some(why) => Err(refuse(path, why)),
        None => Ok(()),
    }
}

fn refuse(path: &Path, why: &'static str) -> StoreError {
    StoreError::Unsafe { path: path.display().to_string(), why }
}

#[cfg(unix)]
mod imp {
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

    use rustix::fs::OFlags;

    use super::{File, Path, io};

    const NO_LINKS: i32 = OFlags::NOFOLLOW.bits().cast_signed();

    pub(super) fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(NO_LINKS).open(path)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NO_LINKS)
            .open(path)
    }

    pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
        // The mode counts for the last part too, whatever the umask allows.
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    pub(super) fn same(left: &Metadata, right: &Metadata) -> bool {
        (left.dev(), left.ino()) == (right.dev(), right.ino())
    }

    /// What speaks against keeping a credential there.
    pub(super) fn objection(metadata: &Metadata) -> Option<&'static str> {
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Some("belongs to somebody else");
        }
        if metadata.mode() & 0o022 != 0 {
            return Some("can be written by others; remove that permission (`chmod go-w`)");
        }
        None
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::{Metadata, OpenOptions};

    use super::{File, Path, io};

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
    }

    pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    #[expect(clippy::unnecessary_wraps, reason = "one signature for every system")]
    pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
        Ok(())
    }

    /// An open file cannot be deleted there.
    pub(super) fn same(_: &Metadata, _: &Metadata) -> bool {
        true
    }

    /// The user's own profile directory is private by its access list. Never run on Windows.
    pub(super) fn objection(_: &Metadata) -> Option<&'static str> {
        None
    }
}
