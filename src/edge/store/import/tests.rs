use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use super::*;
use crate::config::TokenStore;
use crate::edge::store::{Keychain, KeychainError, keychain};

const SERVER: &str = "https://mcp.example/sse";
const NAME: &str = "0123456789abcdef0123456789abcdef";

struct NoKeychain;

impl Keychain for NoKeychain {
    fn key(&mut self, _: bool) -> Result<keychain::Key, KeychainError> {
        Err(KeychainError::Unusable("none".to_owned()))
    }
}

/// A home with mcp-remote's files and our own store.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn base(&self) -> PathBuf {
        self.0.path().join(".mcp-auth")
    }

    fn write(&self, dir: &str, kind: &str, content: &str) -> PathBuf {
        let dir = self.base().join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("{NAME}_{kind}"));
        std::fs::write(&path, content).unwrap();
        path
    }

    fn tokens(&self, dir: &str, refresh: &str) -> PathBuf {
        let tokens = json!({ "access_token": format!("at-{refresh}"), "refresh_token": refresh,
            "issuer": "https://mcp.example" });
        self.write(dir, TOKENS, &tokens.to_string())
    }

    fn client(&self, dir: &str) -> PathBuf {
        let client = json!({ "client_id": "c", "issuer": "https://mcp.example",
            "redirect_uris": ["http://localhost:4567/cb"] });
        self.write(dir, CLIENT, &client.to_string())
    }

    /// As one start of the program would find it: the refresh token or what is there instead of
    /// it, and what a person is told.
    fn start(&self, choice: TokenStore) -> (String, Vec<String>) {
        let mut store = self.store(choice);
        let mut importer = importer(&self.base());
        let loaded = store.load().unwrap();
        let (Loaded { record, .. }, notices) = importer.loaded(&mut store, loaded);
        let tokens = record.map(|record| match record.tokens {
            Some(tokens) => tokens.refresh.unwrap_or(tokens.access).expose().to_owned(),
            None => format!("client {}", record.client.id),
        });
        let told = notices.into_iter().map(|notice| match notice {
            Notice::Imported(path) => {
                let path = Path::new(&path).strip_prefix(self.base()).unwrap().to_owned();
                format!("imported {}", path.parent().unwrap().display())
            }
            Notice::Warning(text) => text.replace(&self.base().display().to_string(), "~"),
            Notice::StillUsed => "still used".to_owned(),
            other => format!("{other:?}").split('(').next().unwrap().to_owned(),
        });
        (tokens.unwrap_or_else(|| "nothing".to_owned()), told.collect())
    }

    fn store(&self, choice: TokenStore) -> Store {
        let place = Some(self.0.path().join("state"));
        Store::new(place, choice, SERVER, Box::new(NoKeychain))
    }

    fn sign_out(&self) {
        let store = self.store(TokenStore::File);
        std::fs::remove_file(store.place().unwrap().join(format!("{}.json", store.name))).unwrap();
    }

    #[track_caller]
    fn check(&self, found: &str, told: &[&str]) {
        let (tokens, notices) = self.start(TokenStore::File);
        assert_eq!((tokens.as_str(), notices), (found, told.iter().map(|&t| t.into()).collect()));
    }
}

fn importer(base: &Path) -> Importer {
    let place = McpRemote { dir: base.to_owned(), name: NAME.to_owned() };
    Importer {
        place,
        server: SERVER.to_owned(),
        client: None,
        client_document: None,
        use_id_token: false,
        told: false,
    }
}

fn age(path: &Path, seconds: u64) {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(clock::unix() - seconds);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn a_sign_in_is_imported_once() {
    let home = Home::new();
    home.tokens(STABLE, "rt");
    home.client(STABLE);
    home.check("rt", &["imported mcp-remote-v1"]);
    home.check("rt", &[]);
    home.sign_out();
    home.check("nothing", &[]);
    // Not even when mcp-remote has signed in again.
    home.tokens(STABLE, "rt2");
    home.check("nothing", &[]);
}

#[test]
fn where_there_is_nothing_nothing_is_made() {
    let home = Home::new();
    home.check("nothing", &[]);
    std::fs::create_dir_all(home.base().join(STABLE)).unwrap();
    home.check("nothing", &[]);
    assert!(!home.0.path().join("state").exists());
}

#[test]
fn the_stable_layout_comes_first_then_the_newest_of_the_old_ones() {
    let home = Home::new();
    for (dir, refresh, seconds) in
        [("mcp-remote-0.1.38", "old", 100), ("mcp-remote-0.2.7", "new", 50)]
    {
        home.client(dir);
        age(&home.tokens(dir, refresh), seconds);
    }
    home.tokens("other-9", "other");
    home.check("new", &["imported mcp-remote-0.2.7"]);
    let home = Home::new();
    home.client("mcp-remote-0.1.38");
    home.tokens("mcp-remote-0.1.38", "old");
    home.client(STABLE);
    age(&home.tokens(STABLE, "stable"), 1000);
    home.check("stable", &["imported mcp-remote-v1"]);
    // A registration alone does not stand before tokens.
    let home = Home::new();
    home.client(STABLE);
    home.client("mcp-remote-0.1.38");
    home.tokens("mcp-remote-0.1.38", "old");
    home.check("old", &["imported mcp-remote-0.1.38"]);
}

#[test]
fn a_registration_without_tokens_is_used_in_silence() {
    let home = Home::new();
    home.client(STABLE);
    home.check("client c", &["Detail"]);
    home.tokens(STABLE, "rt");
    home.check("client c", &[]);
}

#[test]
fn when_mcp_remote_goes_on_a_person_is_told_once_each_time() {
    let home = Home::new();
    home.tokens(STABLE, "rt");
    home.client(STABLE);
    home.check("rt", &["imported mcp-remote-v1"]);
    home.tokens(STABLE, "rt2");
    home.check("rt", &["still used"]);
    home.check("rt", &[]);
    home.tokens(STABLE, "rt3");
    home.check("rt", &["still used"]);
    // A sign-in of our own has nothing to do with theirs.
    home.store(TokenStore::File).settle();
    home.tokens(STABLE, "rt4");
    home.check("rt", &[]);
    // Files that are gone are what we have asked for.
    std::fs::remove_dir_all(home.base()).unwrap();
    home.check("rt", &[]);
}

#[test]
fn during_one_run_a_person_is_told_once() {
    let home = Home::new();
    home.tokens(STABLE, "rt");
    home.client(STABLE);
    home.check("rt", &["imported mcp-remote-v1"]);
    let store = home.store(TokenStore::File);
    let mut importer = importer(&home.base());
    assert_eq!(importer.look(&store), None);
    home.tokens(STABLE, "rt2");
    assert_eq!(importer.look(&store), Some(Notice::StillUsed));
    home.tokens(STABLE, "rt3");
    assert_eq!(importer.look(&store), None);
}

#[test]
fn who_has_signed_in_here_imports_nothing_later() {
    let home = Home::new();
    home.tokens(STABLE, "rt");
    home.client(STABLE);
    let mut store = home.store(TokenStore::File);
    store.settle();
    home.check("nothing", &[]);
    // A record from before there was an import counts too.
    let home = Home::new();
    home.tokens(STABLE, "theirs");
    home.client(STABLE);
    let tokens = LegacyTokens::read(br#"{"access_token":"own"}"#);
    let import = Import {
        server: SERVER,
        client: None,
        client_document: None,
        use_id_token: false,
        written_at: 0,
        now: 0,
    };
    store = home.store(TokenStore::File);
    assert_eq!(store.save(&legacy::record(import, tokens, None).unwrap()), None);
    home.check("own", &[]);
    home.sign_out();
    home.check("nothing", &[]);
}

#[test]
fn nothing_is_imported_where_nothing_may_be_written() {
    let home = Home::new();
    home.tokens(STABLE, "rt");
    home.client(STABLE);
    assert_eq!(home.start(TokenStore::Memory), ("nothing".to_owned(), Vec::new()));
    // A home that cannot be written to.
    std::fs::write(home.0.path().join("file"), "").unwrap();
    let place = Some(home.0.path().join("file").join("state"));
    let mut store = Store::new(place, TokenStore::File, SERVER, Box::new(NoKeychain));
    let nothing = Loaded { record: None, warning: None };
    let (loaded, notices) = importer(&home.base()).loaded(&mut store, nothing);
    assert!(loaded.record.is_none());
    assert!(matches!(notices.as_slice(), [Notice::Warning(_)]), "{notices:?}");
}

#[test]
fn damage_is_absence_with_one_warning() {
    let home = Home::new();
    home.write(STABLE, TOKENS, "{");
    home.write(STABLE, CLIENT, "null");
    let damaged = format!(
        "the sign-in of mcp-remote is not imported: `~/mcp-remote-v1/{NAME}_tokens.json` is damaged"
    );
    home.check("nothing", &[&damaged.replace('/', std::path::MAIN_SEPARATOR_STR)]);
    std::fs::write(home.tokens(STABLE, "rt"), vec![b' '; (1 << 20) + 1]).unwrap();
    let (found, told) = home.start(TokenStore::File);
    assert_eq!((found.as_str(), told.len()), ("nothing", 1));
    assert!(told[0].contains("larger than any sign-in"), "{told:?}");
}

#[test]
fn what_mcp_remote_renews_just_now_is_in_use() {
    let home = Home::new();
    home.tokens(STABLE, "rt");
    home.client(STABLE);
    let lease = home.write(STABLE, "refresh_in_progress.json", "{}");
    let (found, told) = home.start(TokenStore::File);
    assert_eq!((found.as_str(), told.len()), ("nothing", 1));
    assert!(told[0].contains("in use"), "{told:?}");
    age(&lease, 31);
    home.check("rt", &["imported mcp-remote-v1"]);
}

#[cfg(unix)]
#[test]
fn nothing_is_taken_from_an_unsafe_place() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    type Spoil = fn(&Home);
    let spoils: [(Spoil, &str); 5] = [
        (
            |home| {
                let dir = home.base().join(STABLE);
                std::fs::rename(&dir, home.0.path().join("elsewhere")).unwrap();
                symlink(home.0.path().join("elsewhere"), dir).unwrap();
            },
            "is a link",
        ),
        (
            |home| {
                std::fs::rename(home.base(), home.0.path().join("elsewhere")).unwrap();
                symlink(home.0.path().join("elsewhere"), home.base()).unwrap();
            },
            "is a link",
        ),
        (
            |home| {
                let path = home.tokens(STABLE, "rt");
                std::fs::rename(&path, home.0.path().join("elsewhere")).unwrap();
                symlink(home.0.path().join("elsewhere"), path).unwrap();
            },
            "is a link",
        ),
        (
            |home| {
                let mode = PermissionsExt::from_mode(0o777);
                std::fs::set_permissions(home.base(), mode).unwrap();
            },
            "can be written by others",
        ),
        (
            |home| {
                let mode = PermissionsExt::from_mode(0o664);
                std::fs::set_permissions(home.tokens(STABLE, "rt"), mode).unwrap();
            },
            "can be written by others",
        ),
    ];
    for (spoil, why) in spoils {
        let home = Home::new();
        home.tokens(STABLE, "rt");
        home.client(STABLE);
        spoil(&home);
        let (found, told) = home.start(TokenStore::File);
        // The other file may be in order.
        assert!(matches!(found.as_str(), "nothing" | "client c"), "{found}");
        assert!(told[0].contains(why), "{told:?}");
    }
}
