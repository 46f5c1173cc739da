//! Where the sign-in of one server is kept between runs.
//!
//! One small file a server, replaced atomically, in a directory that only its owner can enter.
//! Its content is sealed with a key that the keychain of the operating system holds; where there
//! is no usable keychain the file's mode (0600) is the protection. The lock beside it belongs to
//! the kernel, so that a process which dies gives it back.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::digest;
use thiserror::Error;

use crate::config::TokenStore;
use crate::core::oauth::login::Claim;
use crate::core::oauth::record::Record;

pub(super) mod fs;
mod import;
mod keychain;
mod lock;
mod vault;

pub use import::Importer;
pub use keychain::{Keychain, KeychainError, SystemKeychain};

pub(in crate::edge) use lock::take;

/// The store of one server.
pub struct Store {
    choice: TokenStore,
    dir: Option<PathBuf>,
    name: String,
    keychain: Box<dyn Keychain + Send>,
    /// What this process has written last; all there is where nothing may be written.
    memory: Option<Record>,
    /// Whether it is not on the disk, because it could not be written.
    unsaved: bool,
    lock: Option<File>,
    /// What the file held when the lock was taken, or when this process wrote it last.
    base: Option<Vec<u8>>,
    /// Whether the lock would have been given back, if everything were written.
    owes: bool,
    /// Held by the one process that signs in.
    lead: Option<File>,
    warned: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Somebody else holds the lock.
    #[error("another process has held the token store for {0} s")]
    Busy(u64),
    /// Somebody else holds the lock, and keeps it because nothing can be written.
    #[error(
        "another process keeps the token store, because nothing can be written there: {0}; make \
         room, or end that process"
    )]
    Full(std::io::Error),
    /// The place is not safe for a credential.
    #[error("`{path}` {why}")]
    Unsafe {
        /// Which place.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file is sealed and its key cannot be had now.
    #[error("the stored sign-in is sealed, and the keychain does not give its key: {0}")]
    Keychain(#[from] KeychainError),
    /// The file holds something else than a sign-in.
    #[error("the stored sign-in is damaged")]
    Damaged,
    /// A newer version wrote the file.
    #[error("the stored sign-in was written by a newer version of this program")]
    Newer,
    /// The file system.
    #[error("the token store: {0}")]
    Io(#[from] std::io::Error),
}

/// What was found.
#[derive(Debug)]
pub struct Loaded {
    /// The record, if there is one.
    pub record: Option<Record>,
    /// What a person should know about it.
    pub warning: Option<String>,
}

impl Store {
    /// The store of the server that `key` names: its URL as configured, and what else tells two
    /// sign-ins apart. Nothing is read or asked yet: a session with an API key needs no disk and
    /// no keychain.
    pub fn new(
        dir: Option<PathBuf>,
        choice: TokenStore,
        key: &str,
        keychain: Box<dyn Keychain + Send>,
    ) -> Self {
        Self::named(dir, choice, Self::name(key), keychain)
    }

    /// How the record of a sign-in is named.
    pub fn name(key: &str) -> String {
        hex(digest::digest(&digest::SHA256, key.as_bytes()).as_ref())
    }

    /// The store of the record of that name.
    pub fn named(
        dir: Option<PathBuf>,
        choice: TokenStore,
        name: String,
        keychain: Box<dyn Keychain + Send>,
    ) -> Self {
        Self {
            choice,
            dir,
            name,
            keychain,
            memory: None,
            unsaved: false,
            lock: None,
            base: None,
            owes: false,
            lead: None,
            warned: false,
        }
    }

    /// Reads the record.
    pub fn load(&mut self) -> Result<Loaded, StoreError> {
        let Some(dir) = self.place() else {
            return Ok(Loaded { record: self.memory.clone(), warning: None });
        };
        let path = dir.join(format!("{}.json", self.name));
        let Some(bytes) = fs::read(dir, &path)? else {
            if !self.unsaved {
                self.memory = None;
            }
            return Ok(Loaded { record: self.memory.clone(), warning: None });
        };
        match vault::open(&bytes, &self.name, self.keychain.as_mut()) {
            Ok(record) => {
                let newer = self.unsaved().filter(|own| record.generation <= own.generation);
                let Some(newer) = newer.cloned() else {
                    // What was written later by somebody else is what counts.
                    (self.memory, self.unsaved) = (Some(record.clone()), false);
                    return Ok(Loaded { record: Some(record), warning: None });
                };
                Ok(Loaded { record: Some(newer), warning: None })
            }
            Err(vault::OpenError::Keychain(error)) => Err(error.into()),
            Err(vault::OpenError::Newer) => Err(StoreError::Newer),
            Err(vault::OpenError::Damaged) => {
                let aside = path.with_extension("corrupt");
                std::fs::rename(&path, &aside)?;
                let warning =
                    format!("the stored sign-in is damaged; it was moved to `{}`", aside.display());
                Ok(Loaded { record: None, warning: Some(warning) })
            }
        }
    }

    /// Reads the record without moving or writing anything.
    pub fn peek(&mut self) -> Result<Option<Record>, StoreError> {
        let Some(dir) = self.place() else { return Ok(None) };
        let Some(bytes) = fs::read(dir, &dir.join(format!("{}.json", self.name)))? else {
            return Ok(None);
        };
        match vault::open(&bytes, &self.name, self.keychain.as_mut()) {
            Ok(record) => Ok(Some(record)),
            Err(vault::OpenError::Keychain(error)) => Err(error.into()),
            Err(vault::OpenError::Newer) => Err(StoreError::Newer),
            Err(vault::OpenError::Damaged) => Err(StoreError::Damaged),
        }
    }

    /// Deletes the record and what the server said of itself; the lock must be held.
    pub fn forget(&mut self) -> Result<(), StoreError> {
        (self.memory, self.unsaved) = (None, false);
        self.forget_introduction();
        let Some(dir) = self.place() else { return Ok(()) };
        Ok(std::fs::remove_file(dir.join(format!("{}.json", self.name)))?)
    }

    /// Deletes what the server said of itself.
    pub fn forget_introduction(&self) {
        if let Some(dir) = self.place() {
            std::fs::remove_file(dir.join(format!("{}.initialize.json", self.name))).ok();
        }
    }

    /// What is known here and not on the disk.
    fn unsaved(&self) -> Option<&Record> {
        self.memory.as_ref().filter(|_| self.unsaved)
    }

    /// Writes the record; the lock must be held. What cannot be written stays in memory, and the
    /// reason is returned.
    pub fn save(&mut self, record: &Record) -> Option<String> {
        self.memory = Some(record.clone());
        let dir = self.place()?.clone();
        self.unsaved = true;
        let (bytes, warning) = match self.choice {
            TokenStore::Keychain => match self.key(&dir) {
                Ok(key) => (vault::seal(record, &self.name, &key), None),
                Err(error) => (vault::plain(record), Some(error)),
            },
            TokenStore::File | TokenStore::Memory => (vault::plain(record), None),
        };
        let warning = warning.filter(|_| !self.warned).map(|error| {
            self.warned = true;
            format!("no keychain ({error}); the sign-in is kept in a file that only you can read")
        });
        let path = dir.join(format!("{}.json", self.name));
        let written = match bytes {
            Some(bytes) => {
                let written = fs::replace(&dir, &path, &bytes);
                // It may be there even if it is not safe from a power failure.
                if written.is_ok() || self.bytes().as_ref() == Some(&bytes) {
                    self.base = Some(bytes);
                }
                written
            }
            None => return Some("the sign-in could not be encoded; it is lost at exit".to_owned()),
        };
        match written {
            Ok(()) => {
                self.unsaved = false;
                warning
            }
            Err(error) => {
                Some(format!("the sign-in could not be stored and is lost at exit: {error}"))
            }
        }
    }

    /// The key of the vault. All servers share it, so that the lock of one is not enough: two
    /// first sign-ins at once would each make a key, and one file would lose its own.
    fn key(&mut self, dir: &Path) -> Result<keychain::Key, KeychainError> {
        if let Err(KeychainError::NoKey) = self.keychain.key(false) {
            let lock = take(dir, "vault.lock", None, keychain::LIMIT);
            let _lock = lock.map_err(|error| KeychainError::Unusable(error.to_string()))?;
            return self.keychain.key(true);
        }
        self.keychain.key(false)
    }

    /// Tries to be the one process that signs in. Where no lock can be had for another reason than
    /// that somebody holds it, everybody leads.
    pub fn lead(&mut self) -> bool {
        if self.lead.is_some() {
            return true;
        }
        let Some(dir) = self.place() else { return true };
        match take(dir, &format!("{}.sign-in.lock", self.name), None, Duration::ZERO) {
            Ok(file) => {
                self.lead = Some(file);
                true
            }
            Err(StoreError::Busy(_)) => false,
            Err(_) => true,
        }
    }

    /// Lets another process sign in.
    pub fn resign(&mut self) {
        self.lead = None;
    }

    /// What the process that signs in, or did so last, has left for the others.
    pub fn claim(&self) -> Option<Claim> {
        let dir = self.place()?;
        let bytes = fs::read(dir, &dir.join(self.claim_name())).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Leaves something for the others. What cannot be written costs them a second window.
    pub fn set_claim(&self, claim: Option<&Claim>) {
        let Some(dir) = self.place() else { return };
        let path = dir.join(self.claim_name());
        match claim.and_then(|claim| serde_json::to_vec(claim).ok()) {
            Some(bytes) => fs::replace(dir, &path, &bytes).ok(),
            None => std::fs::remove_file(path).ok(),
        };
    }

    fn claim_name(&self) -> String {
        format!("{}.sign-in.json", self.name)
    }

    /// What the server said of itself; nothing is lost without it, so a failure is not told.
    pub fn recall(&self) -> Option<Vec<u8>> {
        let dir = self.place()?;
        fs::read(dir, &dir.join(format!("{}.initialize.json", self.name))).ok()?
    }

    /// Keeps what the server said of itself.
    pub fn remember(&self, bytes: &[u8]) {
        if let Some(dir) = self.place() {
            fs::replace(dir, &dir.join(format!("{}.initialize.json", self.name)), bytes).ok();
        }
    }

    fn place(&self) -> Option<&PathBuf> {
        self.dir.as_ref().filter(|_| self.choice != TokenStore::Memory)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests;
