use std::path::Path;
use std::thread;

use super::*;
use crate::core::oauth::record::{Registration, Tokens};
use crate::edge::clock::random;
use crate::secret::Secret;

struct Fixed(Result<keychain::Key, KeychainError>);

impl Keychain for Fixed {
    fn key(&mut self, _: bool) -> Result<keychain::Key, KeychainError> {
        self.0.clone()
    }
}

fn record() -> Record {
    Record {
        version: 1,
        generation: 3,
        server: "https://mcp.example/sse".to_owned(),
        issuer: "https://mcp.example".to_owned(),
        token_endpoint: "https://mcp.example/token".to_owned(),
        revocation_endpoint: None,
        pending_since: None,
        client: Registration {
            id: "c".to_owned(),
            secret: None,
            auth_method: None,
            redirect_uri: "http://127.0.0.1:1/cb".to_owned(),
            secret_expires_at: None,
            key: None,
        },
        resource: None,
        tokens: Some(Tokens {
            access: Secret::new("SECRET-ACCESS".to_owned()),
            refresh: Some(Secret::new("SECRET-REFRESH".to_owned())),
            scope: None,
            obtained_at: 1,
            expires_at: None,
        }),
    }
}

fn store(dir: &Path, key: Result<keychain::Key, KeychainError>) -> Store {
    let place = Some(dir.join("state"));
    Store::new(place, TokenStore::Keychain, "https://mcp.example/sse", Box::new(Fixed(key)))
}

fn no_keychain() -> Result<keychain::Key, KeychainError> {
    Err(KeychainError::Unusable("none".to_owned()))
}

fn content(dir: &Path) -> String {
    let files = std::fs::read_dir(dir.join("state")).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn a_sealed_file_holds_no_readable_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), Ok([7; 32]));
    first.lock(Duration::ZERO).unwrap();
    assert_eq!(first.save(&record()), None);
    first.unlock();
    assert!(!content(dir.path()).contains("SECRET"));
    let loaded = store(dir.path(), Ok([7; 32])).load().unwrap();
    assert_eq!(loaded.record, Some(record()));
}

#[test]
fn without_a_keychain_the_file_is_the_fallback_and_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    assert!(first.save(&record()).unwrap().contains("no keychain"));
    assert_eq!(first.save(&record()), None);
    assert_eq!(store(dir.path(), no_keychain()).load().unwrap().record, Some(record()));
}

#[test]
fn a_sealed_file_outlives_a_keychain_that_is_away() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), Ok([7; 32])).save(&record());
    let away = store(dir.path(), no_keychain()).load();
    assert!(matches!(away, Err(StoreError::Keychain(_))));
    assert!(store(dir.path(), Ok([7; 32])).load().unwrap().record.is_some());
}

#[test]
fn damage_is_put_aside_and_costs_one_sign_in() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), no_keychain()).save(&record());
    let path = std::fs::read_dir(dir.path().join("state")).unwrap().next().unwrap().unwrap().path();
    for garbage in ["", "{", "{}", "null", r#"{"format":1}"#, r#"{"format":1,"record":7}"#] {
        std::fs::write(&path, garbage).unwrap();
        let loaded = store(dir.path(), no_keychain()).load().unwrap();
        assert!(loaded.record.is_none() && loaded.warning.is_some(), "{garbage}");
        assert!(store(dir.path(), no_keychain()).load().unwrap().warning.is_none());
    }
    std::fs::write(&path, r#"{"format":99}"#).unwrap();
    assert!(matches!(store(dir.path(), no_keychain()).load(), Err(StoreError::Newer)));
    assert!(path.exists(), "what a newer version wrote is not touched");
}

/// The keychain gives another key than before.
struct Replaced(Vec<keychain::Key>);

impl Keychain for Replaced {
    fn key(&mut self, _: bool) -> Result<keychain::Key, KeychainError> {
        Ok(*self.0.last().unwrap())
    }

    fn key_anew(&mut self) -> Result<keychain::Key, KeychainError> {
        self.0.pop();
        self.key(false)
    }
}

#[test]
fn a_key_that_was_replaced_is_asked_for_again_before_a_file_is_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), Ok([8; 32])).save(&record());
    let keychain = Box::new(Replaced(vec![[8; 32], [7; 32]]));
    let place = Some(dir.path().join("state"));
    let mut old = Store::new(place, TokenStore::Keychain, "https://mcp.example/sse", keychain);
    assert_eq!(old.load().unwrap().record, Some(record()));
}

#[test]
fn what_others_store_while_the_lock_is_held_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    first.save(&record());
    assert_eq!(first.overtaken(), None, "its own");
    let other = Record { generation: 4, ..record() };
    store(dir.path(), no_keychain()).save(&other);
    assert_eq!(first.overtaken(), Some(other.clone()));
    store(dir.path(), no_keychain()).save(&Record { tokens: None, ..other });
    assert_eq!(first.overtaken(), None, "there is nothing to adopt");
}

#[cfg(unix)]
#[test]
fn a_lock_file_that_was_deleted_is_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    let mut second = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    let lock = dir.path().join("state").join(format!("{}.lock", first.name));
    // Deleted while somebody waits for it: what that one gets must be the new file.
    let waiting = thread::spawn(move || second.lock(Duration::from_secs(5)).map(|_| second));
    thread::sleep(Duration::from_millis(150));
    std::fs::remove_file(lock).unwrap();
    drop(first);
    let _second = waiting.join().unwrap().unwrap();
    let third = store(dir.path(), no_keychain()).lock(Duration::ZERO);
    assert!(matches!(third, Err(StoreError::Busy(_))), "{third:?}");
}

#[test]
fn the_lock_keeps_a_second_process_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    let mut second = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    assert!(matches!(second.lock(Duration::ZERO), Err(StoreError::Busy(_))));
    first.save(&record());
    first.unlock();
    assert_eq!(second.lock(Duration::ZERO).unwrap().record, Some(record()));
}

#[test]
fn nothing_is_written_where_nothing_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let place = Some(dir.path().join("state"));
    let mut memory = Store::new(place, TokenStore::Memory, "x", Box::new(Fixed(Ok([7; 32]))));
    memory.lock(Duration::ZERO).unwrap();
    assert_eq!(memory.save(&record()), None);
    assert_eq!(memory.load().unwrap().record, Some(record()));
    assert!(!dir.path().join("state").exists());
}

#[cfg(unix)]
#[test]
fn the_place_is_private_and_must_stay_so() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    first.save(&record());
    first.unlock();
    let state = dir.path().join("state");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for entry in std::fs::read_dir(&state).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o770)).unwrap();
    assert!(matches!(store(dir.path(), no_keychain()).load(), Err(StoreError::Unsafe { .. })));
    let warning = store(dir.path(), no_keychain()).save(&record()).unwrap();
    assert!(warning.contains("could not be stored"), "{warning}");
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o700)).unwrap();
    let moved = dir.path().join("elsewhere");
    std::fs::rename(&state, &moved).unwrap();
    symlink(&moved, &state).unwrap();
    assert!(matches!(store(dir.path(), no_keychain()).load(), Err(StoreError::Unsafe { .. })));
}

/// A keychain in which whoever comes second while there is no key would make another one.
struct Slow(std::sync::Arc<std::sync::Mutex<Option<keychain::Key>>>);

impl Keychain for Slow {
    fn key(&mut self, create: bool) -> Result<keychain::Key, KeychainError> {
        let stored = || *self.0.lock().unwrap();
        match stored() {
            Some(key) => Ok(key),
            None if !create => Err(KeychainError::NoKey),
            None => {
                let key: keychain::Key = random().unwrap();
                thread::sleep(Duration::from_millis(50));
                *self.0.lock().unwrap() = Some(key);
                Ok(key)
            }
        }
    }
}

#[test]
fn first_sign_ins_to_several_servers_share_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let chain = std::sync::Arc::default();
    let open = |server: &str| {
        let place = Some(dir.path().join("state"));
        let keychain = Box::new(Slow(std::sync::Arc::clone(&chain)));
        Store::new(place, TokenStore::Keychain, server, keychain)
    };
    let servers = ["https://a.example", "https://b.example", "https://c.example"];
    thread::scope(|scope| {
        for server in servers {
            scope.spawn(move || assert_eq!(open(server).save(&record()), None));
        }
    });
    for server in servers {
        assert!(open(server).load().unwrap().record.is_some(), "{server}");
    }
}

/// Makes the place one that nobody can write to, whoever they are, and gives it back.
fn without_place<T>(dir: &Path, work: impl FnOnce() -> T) -> T {
    let (place, aside) = (dir.join("state"), dir.join("aside"));
    std::fs::rename(&place, &aside).unwrap();
    std::fs::write(&place, "").unwrap();
    let done = work();
    std::fs::remove_file(&place).unwrap();
    std::fs::rename(&aside, &place).unwrap();
    done
}

#[test]
fn what_cannot_be_written_keeps_the_lock_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), Ok([7; 32]));
    first.lock(Duration::ZERO).unwrap();
    assert_eq!(first.save(&record()), None);
    let newer = Record { generation: 4, ..record() };
    without_place(dir.path(), || {
        assert!(first.save(&newer).unwrap().contains("lost at exit"));
        first.unlock();
        assert!(first.owes());
    });
    // Nobody else gets at what is spent.
    let mut second = store(dir.path(), Ok([7; 32]));
    assert!(matches!(second.lock(Duration::ZERO), Err(StoreError::Busy(_))));
    assert_eq!(first.load().unwrap().record, Some(newer.clone()));
    first.unlock();
    assert!(!first.owes());
    assert_eq!(second.lock(Duration::ZERO).unwrap().record, Some(newer));
}

#[test]
fn whoever_waits_for_a_full_disk_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    let (place, name) = (dir.path().join("state"), first.name.clone());
    let wait = move |suspicion| lock::patiently(&place, &name, Duration::from_secs(1), suspicion);
    let busy = wait(Duration::ZERO);
    assert!(matches!(busy, Err(StoreError::Busy(1))), "it could be written: {busy:?}");
    let waiting = thread::spawn(move || wait(Duration::from_millis(300)));
    thread::sleep(Duration::from_millis(100));
    let full = without_place(dir.path(), || waiting.join().unwrap());
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
}

/// Root may write it all the same, and then there is nothing to get over.
#[cfg(unix)]
#[test]
fn a_lock_file_that_can_only_be_read_is_a_lock() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), no_keychain());
    first.lock(Duration::ZERO).unwrap();
    first.unlock();
    let lock = dir.path().join("state").join(format!("{}.lock", first.name));
    std::fs::set_permissions(&lock, PermissionsExt::from_mode(0o400)).unwrap();
    assert!(first.lock(Duration::ZERO).unwrap().warning.is_none());
    let second = store(dir.path(), no_keychain()).lock(Duration::ZERO);
    assert!(matches!(second, Err(StoreError::Busy(_))), "{second:?}");
}

#[test]
fn where_no_lock_can_be_had_the_memory_will_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state"), "").unwrap();
    let mut only = store(dir.path(), Ok([7; 32]));
    only.lock(Duration::ZERO).unwrap();
    assert!(only.save(&record()).is_some());
    only.unlock();
    let found = only.lock(Duration::ZERO).unwrap();
    assert_eq!(found.record, Some(record()));
    assert!(found.warning.is_some());
}

#[test]
fn what_was_deleted_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), Ok([7; 32]));
    first.lock(Duration::ZERO).unwrap();
    first.save(&record());
    first.unlock();
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    assert_eq!(first.lock(Duration::ZERO).unwrap().record, None);
}

#[test]
fn a_record_that_cannot_be_read_does_not_hold_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), Ok([7; 32]));
    first.lock(Duration::ZERO).unwrap();
    first.save(&record());
    first.unlock();
    let mut locked_out = store(dir.path(), no_keychain());
    assert!(locked_out.lock(Duration::ZERO).is_err());
    assert!(!locked_out.is_locked());
    assert!(first.lock(Duration::ZERO).is_ok());
}

#[test]
fn a_lock_that_was_kept_is_not_given_back_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), Ok([7; 32]));
    first.lock(Duration::ZERO).unwrap();
    first.save(&record());
    without_place(dir.path(), || {
        first.save(&Record { generation: 4, ..record() });
        first.unlock();
    });
    assert!(first.owes());
    first.lock(Duration::ZERO).unwrap();
    assert!(!first.owes(), "the next renewal has begun");
}

#[test]
fn what_somebody_has_stored_later_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = store(dir.path(), Ok([7; 32]));
    first.lock(Duration::ZERO).unwrap();
    first.save(&record());
    first.unlock();
    // Written without a lock, because none could be had.
    without_place(dir.path(), || first.save(&Record { generation: 4, ..record() }));
    let later = Record { generation: 5, ..record() };
    let mut second = store(dir.path(), Ok([7; 32]));
    second.lock(Duration::ZERO).unwrap();
    second.save(&later);
    second.unlock();
    assert_eq!(first.lock(Duration::ZERO).unwrap().record, Some(later.clone()));
    first.unlock();
    assert_eq!(second.load().unwrap().record, Some(later));
}
