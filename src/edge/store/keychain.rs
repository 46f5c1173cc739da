//! The key of the token files, in the keychain of the operating system.
//!
//! A keychain may ask a person, or may never answer: each call has a thread of its own and a
//! limit. On macOS and Windows this was type-checked and never run.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::edge::clock::random;

/// How long a keychain may take: long enough for a busy one, short enough for a host that waits.
pub(super) const LIMIT: Duration = Duration::from_secs(3);
/// How long it may take where it can ask a person to unlock it, and nothing else opens what is
/// sealed: a password is faster than a new sign-in.
const PERSON: Duration = Duration::from_secs(30);
/// How the key is named in the keychain.
const SERVICE: &str = "apexmcp-bridge";
const USER: &str = "vault-key";

/// A key for the token files.
pub(super) type Key = [u8; 32];

/// Why there is no key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeychainError {
    /// No keychain, or a locked one.
    #[error("{0}")]
    Unusable(String),
    /// No answer in time.
    #[error("it did not answer within {0} s")]
    TimedOut(u64),
    /// It works, and holds no key.
    #[error("it holds no key")]
    NoKey,
}

/// Something that keeps one key.
pub trait Keychain {
    /// The key for something that is to be sealed; made if there is none and `create` says so.
    fn key(&mut self, create: bool) -> Result<Key, KeychainError>;

    /// The key for something that was sealed with it.
    fn key_again(&mut self) -> Result<Key, KeychainError> {
        self.key(false)
    }

    /// The key that the keychain has now, whatever it had before.
    fn key_anew(&mut self) -> Result<Key, KeychainError> {
        self.key(false)
    }
}

/// The keychain of the operating system. The key is asked for once a process.
#[derive(Debug, Default)]
pub struct SystemKeychain {
    /// Whether there is a display to ask a person on.
    desktop: bool,
    known: Option<Box<Key>>,
    failed: Option<KeychainError>,
}

impl SystemKeychain {
    /// With or without a display to ask a person on.
    pub fn new(desktop: bool) -> Self {
        Self { desktop, ..Self::default() }
    }

    fn ask(&mut self, create: bool, limit: Duration) -> Result<Key, KeychainError> {
        if let Some(key) = &self.known {
            return Ok(**key);
        }
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match with_limit(limit, move || system_key(create)) {
            Ok(key) => {
                self.known = Some(Box::new(key));
                Ok(key)
            }
            Err(KeychainError::NoKey) => Err(KeychainError::NoKey),
            Err(error) => {
                // One wait a process is enough.
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl Keychain for SystemKeychain {
    fn key(&mut self, create: bool) -> Result<Key, KeychainError> {
        self.ask(create, LIMIT)
    }

    fn key_again(&mut self) -> Result<Key, KeychainError> {
        self.ask(false, if self.desktop { PERSON } else { LIMIT })
    }

    fn key_anew(&mut self) -> Result<Key, KeychainError> {
        (self.known, self.failed) = (None, None);
        self.ask(false, LIMIT)
    }
}

/// Runs `work` on a thread of its own, which is left behind if it takes too long.
fn with_limit(
    limit: Duration,
    work: impl FnOnce() -> Result<Key, KeychainError> + Send + 'static,
) -> Result<Key, KeychainError> {
    let (answer, inbox) = mpsc::channel();
    let started = thread::Builder::new().name("keychain".to_owned()).spawn(move || {
        answer.send(work()).ok();
    });
    if let Err(error) = started {
        return Err(KeychainError::Unusable(error.to_string()));
    }
    inbox.recv_timeout(limit).unwrap_or(Err(KeychainError::TimedOut(limit.as_secs())))
}

fn system_key(create: bool) -> Result<Key, KeychainError> {
    let unusable = |error: &keyring::v1::Error| KeychainError::Unusable(why(error));
    keyring::v1::Entry::store_status().as_ref().map_err(unusable)?;
    let entry = imp::entry(SERVICE, USER).map_err(|error| unusable(&error))?;
    match entry.get_password() {
        Ok(text) => decode(&text),
        Err(keyring::v1::Error::NoEntry) if create => {
            let key: Key = random().ok_or_else(|| {
                KeychainError::Unusable("the system has no random bytes to give".to_owned())
            })?;
            // As text: some wallets keep nothing else.
            entry.set_password(&STANDARD.encode(key)).map_err(|error| unusable(&error))?;
            // A sibling may have been faster; what is stored now is what everybody uses.
            entry.get_password().map_err(|error| unusable(&error)).and_then(|text| decode(&text))
        }
        Err(keyring::v1::Error::NoEntry) => Err(KeychainError::NoKey),
        Err(error) => Err(unusable(&error)),
    }
}

/// Why it cannot be used, in words for people: what the libraries below say is for their authors.
fn why(error: &keyring::v1::Error) -> String {
    match error {
        keyring::v1::Error::NoStorageAccess(_) => "it is locked, or refuses access".to_owned(),
        keyring::v1::Error::PlatformFailure(_) => "it is not there, or does not work".to_owned(),
        error => error.to_string(),
    }
}

fn decode(text: &str) -> Result<Key, KeychainError> {
    let bytes = STANDARD.decode(text.trim()).ok();
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| KeychainError::Unusable("its key is damaged".to_owned()))
}

#[cfg(windows)]
mod imp {
    use std::collections::HashMap;

    /// The entry. It stays on this machine: the default would roam with a domain profile.
    pub(super) fn entry(service: &str, user: &str) -> keyring::v1::Result<keyring_core::Entry> {
        let local = HashMap::from([("persistence", "Local")]);
        keyring_core::Entry::new_with_modifiers(service, user, &local)
    }
}

#[cfg(not(windows))]
mod imp {
    /// The entry.
    pub(super) fn entry(service: &str, user: &str) -> keyring::v1::Result<keyring_core::Entry> {
        keyring_core::Entry::new(service, user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keychain_that_hangs_is_left_behind() {
        let (hold, forever) = mpsc::channel::<()>();
        let hang = move || {
            forever.recv().ok();
            Err(KeychainError::NoKey)
        };
        assert_eq!(with_limit(Duration::from_millis(20), hang), Err(KeychainError::TimedOut(0)));
        drop(hold);
    }

    /// Runs against a real Secret Service where one is offered (`tests/all` starts one).
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test command offers a keychain by name")]
    fn a_real_keyring_keeps_the_key() {
        if std::env::var_os("APEXMCP_BRIDGE_TEST_KEYRING").is_none() {
            // Past the harness, which would swallow it: a check that was not made says so.
            let text = b"skipped: no keychain was offered (APEXMCP_BRIDGE_TEST_KEYRING)\n";
            std::io::Write::write_all(&mut std::io::stderr(), text).unwrap();
            return;
        }
        let key = SystemKeychain::default().key(true).unwrap();
        assert_eq!(SystemKeychain::default().key(false).unwrap(), key);
    }
}
