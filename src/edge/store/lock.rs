//! The lock on the record: the kernel's, so that a process which dies gives it back.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{Loaded, Store, StoreError, fs, vault};
use crate::core::oauth::record::Record;

/// How long between two looks at a lock that somebody else holds.
const PAUSE: Duration = Duration::from_millis(100);
/// After so long it is worth a look whether whoever holds it could write anything.
const SUSPICION: Duration = Duration::from_secs(5);
/// How often a lock file is opened that is not there any more once it is locked.
const MAX_OPENED: u8 = 10;

impl Store {
    /// Takes the lock, waiting up to `patience` for somebody else; returns what is stored.
    ///
    /// Where no lock can be had for another reason than that somebody holds it, nothing can be
    /// written either: this process goes on with what it knows, in memory.
    pub fn lock(&mut self, patience: Duration) -> Result<Loaded, StoreError> {
        let had = self.is_locked();
        // Whoever holds it for what could not be written begins something new with it.
        self.owes = false;
        let known = self.memory.clone();
        if let (Some(dir), None) = (self.place(), &self.lock) {
            let taken = patiently(dir, &self.name, patience, SUSPICION);
            match taken {
                Ok(file) => self.lock = Some(file),
                Err(error @ (StoreError::Busy(_) | StoreError::Full(_))) => return Err(error),
                Err(error) => {
                    let stored = self.load().ok().and_then(|found| found.record);
                    let record = stored.or(known);
                    return Ok(Loaded { record, warning: Some(error.to_string()) });
                }
            }
        }
        let loaded = self.load();
        if loaded.is_err() && !had {
            self.lock = None;
        }
        self.base = self.bytes();
        loaded
    }

    /// What somebody else has stored since the lock was taken here: without the lock, because it
    /// could not be had, or under another one, because the directory was deleted. It is later than
    /// what this process was about to write, and must not be written over.
    pub fn overtaken(&mut self) -> Option<Record> {
        let bytes = self.bytes().filter(|bytes| Some(bytes) != self.base.as_ref())?;
        let record = vault::open(&bytes, &self.name, self.keychain.as_mut()).ok()?;
        record.tokens.is_some().then_some(record)
    }

    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let dir = self.place()?;
        fs::read(dir, &dir.join(format!("{}.json", self.name))).ok()?
    }

    /// Gives the lock back, unless something could not be written: what is on the disk is spent
    /// then, and nobody else must send it.
    pub fn unlock(&mut self) {
        if self.unsaved && self.is_locked() && self.overtaken().is_some() {
            // What could not be written is not worth writing any more.
            self.unsaved = false;
        }
        if let Some(record) = self.unsaved().cloned().filter(|_| self.is_locked()) {
            self.save(&record);
        }
        self.owes = self.unsaved && self.is_locked();
        if !self.owes {
            // Closing the file is what unlocks it.
            self.lock = None;
        }
    }

    /// Whether the lock waits for something to be written: [`Store::unlock`] tries again.
    pub fn owes(&self) -> bool {
        self.owes
    }

    /// Whether the last record is not on the disk.
    pub fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    /// Whether the lock is held here.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

/// Takes the lock of a record. Whoever could not write its tokens keeps it: that need not be waited
/// for, and people want to know why.
pub(super) fn patiently(
    dir: &Path,
    name: &str,
    patience: Duration,
    suspicion: Duration,
) -> Result<File, StoreError> {
    let (lock, record) = (format!("{name}.lock"), dir.join(format!("{name}.json")));
    let first = patience.min(suspicion);
    match take(dir, &lock, Some(&record), first) {
        Err(StoreError::Busy(_)) if first < patience => {}
        taken => return taken,
    }
    if let Err(StoreError::Io(error)) = fs::try_to_write(dir) {
        return Err(StoreError::Full(error));
    }
    take(dir, &lock, Some(&record), patience.saturating_sub(first)).map_err(|error| match error {
        // Of the whole wait.
        StoreError::Busy(_) => StoreError::Busy(patience.as_secs()),
        error => error,
    })
}

/// Takes a lock of the kernel's, waiting up to `patience` for somebody else. Where the lock file
/// can neither be written nor made, it is locked for reading, or `instead` is.
pub(in crate::edge) fn take(
    dir: &Path,
    name: &str,
    instead: Option<&Path>,
    patience: Duration,
) -> Result<File, StoreError> {
    let path = dir.join(name);
    let mut file = fs::open_lock(dir, &path, instead)?;
    let (mut waited, mut opened) = (Duration::ZERO, 1);
    loop {
        match file.try_lock() {
            Ok(()) if MAX_OPENED <= opened || fs::is_there(&file, &path, instead) => {
                return Ok(file);
            }
            // Somebody has deleted it meanwhile, and others lock another one.
            Ok(()) => {
                file = fs::open_lock(dir, &path, instead)?;
                opened += 1;
            }
            Err(TryLockError::WouldBlock) if patience <= waited => {
                return Err(StoreError::Busy(patience.as_secs()));
            }
            Err(TryLockError::WouldBlock) => {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}
