//! Taking over what mcp-remote has left of a sign-in: once, under the lock, and never from a place
//! where this program would keep no credential itself.
//!
//! Its files are read and never touched. What is remembered of them lies beside our own record and
//! outlives it: after a sign-out the same refresh token must not come back, and while both programs
//! are in use each would end the other's sign-in.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use ring::digest;
use serde::{Deserialize, Serialize};

use super::{Loaded, Store, StoreError, fs, hex};
use crate::config::{Config, McpRemote};
use crate::core::event::Notice;
use crate::core::oauth::legacy::{self, Import, LegacyClient, LegacyTokens};
use crate::core::oauth::record::Record;
use crate::edge::clock;

/// How long a sibling may import: a keychain may take its time, three times.
const PATIENCE: Duration = Duration::from_secs(10);
/// mcp-remote holds a renewal to be dead after this many seconds.
const RENEWAL: u64 = 30;
/// One directory a version: nobody has had more of them.
const MOST_SOURCES: usize = 64;

/// What imports for one server.
#[derive(Debug)]
pub struct Importer {
    place: McpRemote,
    server: String,
    client: Option<String>,
    client_document: Option<String>,
    use_id_token: bool,
    told: bool,
}

/// What is remembered of an import.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    format: u32,
    /// The fingerprint of mcp-remote's tokens, as they were when we looked last; `None` if theirs
    /// are not in use here.
    #[serde(default)]
    seen: Option<String>,
}

/// A directory with files of this server.
struct Source {
    dir: PathBuf,
    written_at: u64,
}

/// What can be imported.
struct Found {
    record: Record,
    path: PathBuf,
}

impl Importer {
    /// Nothing is read yet.
    pub fn new(config: &Config) -> Option<Self> {
        let login = &config.login;
        Some(Self {
            place: config.mcp_remote.clone()?,
            server: config.server_text.clone(),
            client: login.client.as_ref().map(|client| client.id.clone()),
            client_document: login.client_metadata_url.clone(),
            use_id_token: login.use_id_token,
            told: false,
        })
    }

    /// Imports if `loaded` is what a store says that never had a record.
    pub fn loaded(&mut self, store: &mut Store, loaded: Loaded) -> (Loaded, Vec<Notice>) {
        // Where nothing may be written nothing is imported either: the refresh token would be
        // used up here, its successor lost at exit, and the next start would send it again.
        if store.place().is_none() {
            return (loaded, Vec::new());
        }
        if let Loaded { record: None, warning: None } = loaded {
            return self.import(store);
        }
        // There is one, or there was and it is damaged.
        if mark(store).is_none() {
            set_mark(store, None).ok();
        }
        (loaded, self.look(store).into_iter().collect())
    }

    /// Whether mcp-remote has other tokens than when we looked last.
    pub fn look(&mut self, store: &Store) -> Option<Notice> {
        if self.told {
            return None;
        }
        let seen = mark(store)?.seen?;
        let now = self.view().filter(|now| *now != seen)?;
        self.told = true;
        set_mark(store, Some(now)).ok();
        Some(Notice::StillUsed)
    }

    /// The fingerprint of the tokens that mcp-remote has now.
    fn view(&self) -> Option<String> {
        let tokens = |source: &Source| self.tokens(source).ok().flatten();
        self.sources().iter().find_map(tokens).as_ref().map(fingerprint)
    }

    fn import(&self, store: &mut Store) -> (Loaded, Vec<Notice>) {
        let nothing = || Loaded { record: None, warning: None };
        let sources = self.sources();
        if sources.is_empty() {
            return (nothing(), Vec::new());
        }
        let loaded = match store.lock(PATIENCE) {
            Ok(loaded) => loaded,
            Err(error) => return (nothing(), vec![not_imported(&error.to_string())]),
        };
        let mut notices = Vec::new();
        let record = match loaded {
            // A sibling was faster.
            Loaded { record: Some(record), .. } => Some(record),
            // After a sign-out, or a sibling's record could not be written.
            Loaded { record: None, .. } if mark(store).is_some() => None,
            Loaded { record: None, .. } => self.take(store, &sources, &mut notices),
        };
        store.unlock();
        (Loaded { record, warning: None }, notices)
    }

    /// Takes over the best of what is there.
    fn take(
        &self,
        store: &mut Store,
        sources: &[Source],
        notices: &mut Vec<Notice>,
    ) -> Option<Record> {
        let now = clock::unix();
        if self.is_being_renewed(now) {
            notices.push(not_imported("it is renewing the sign-in just now, so it is in use"));
            return None;
        }
        if let Err(error) = fs::check_dir(&self.place.dir) {
            notices.push(not_imported(&error.to_string()));
            return None;
        }
        // Before it is read: what is written meanwhile is seen later.
        let view = self.view();
        let mut complaints = Vec::new();
        let found = sources.iter().filter_map(|source| self.read(source, now, &mut complaints));
        // Tokens before a mere registration; otherwise the first.
        let found = found.min_by_key(|found| found.record.tokens.is_none());
        notices.extend(complaints.first().map(|complaint| not_imported(complaint)));
        let Found { record, path } = found?;
        let seen = view.filter(|_| record.tokens.is_some());
        // Before it is used: what cannot be remembered must not be taken.
        if let Err(error) = set_mark(store, seen.clone()) {
            notices.push(not_imported(&error.to_string()));
            return None;
        }
        let path = path.display().to_string();
        notices.push(match seen {
            Some(_) => Notice::Imported(path),
            None => Notice::Detail(format!("the registration in `{path}` is used")),
        });
        notices.extend(store.save(&record).map(Notice::Warning));
        Some(record)
    }

    fn read(&self, source: &Source, now: u64, complaints: &mut Vec<String>) -> Option<Found> {
        let mut keep = |error: String| complaints.push(error);
        let tokens = self.tokens(source).unwrap_or_else(|error| {
            keep(error);
            None
        });
        let client = self.client(source).unwrap_or_else(|error| {
            keep(error);
            None
        });
        let import = Import {
            server: &self.server,
            client: self.client.as_deref(),
            client_document: self.client_document.as_deref(),
            use_id_token: self.use_id_token,
            written_at: source.written_at,
            now,
        };
        let record = legacy::record(import, tokens, client)?;
        let kind = if record.tokens.is_some() { TOKENS } else { CLIENT };
        Some(Found { record, path: self.path(&source.dir, kind) })
    }

    fn tokens(&self, source: &Source) -> Result<Option<LegacyTokens>, String> {
        self.file(source, TOKENS, LegacyTokens::read)
    }

    fn client(&self, source: &Source) -> Result<Option<LegacyClient>, String> {
        self.file(source, CLIENT, LegacyClient::read)
    }

    fn file<T>(
        &self,
        source: &Source,
        kind: &str,
        parse: fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let path = self.path(&source.dir, kind);
        let bytes = fs::read(&source.dir, &path).map_err(|error| error.to_string())?;
        let damaged = || format!("`{}` is damaged", path.display());
        bytes.map(|bytes| parse(&bytes).ok_or_else(damaged)).transpose()
    }

    /// Where there are files of this server, the best first: the layout that has stayed the same
    /// since 0.4, then the others, which were one a version, the newest first.
    fn sources(&self) -> Vec<Source> {
        let stable = self.source(self.place.dir.join(STABLE));
        let entries = std::fs::read_dir(&self.place.dir).into_iter().flatten().flatten();
        let mut others: Vec<Source> = entries
            .filter(|entry| {
                let name = entry.file_name();
                name != STABLE && name.to_string_lossy().starts_with("mcp-remote-")
            })
            .filter_map(|entry| self.source(entry.path()))
            .collect();
        others.sort_by_key(|source| std::cmp::Reverse(source.written_at));
        stable.into_iter().chain(others).take(MOST_SOURCES).collect()
    }

    fn source(&self, dir: PathBuf) -> Option<Source> {
        let written_at = |kind| written_at(&self.path(&dir, kind));
        let written_at = written_at(TOKENS).or_else(|| written_at(CLIENT))?;
        Some(Source { dir, written_at })
    }

    /// mcp-remote's own lock, which its other instances look at.
    fn is_being_renewed(&self, now: u64) -> bool {
        let lease = self.path(&self.place.dir.join(STABLE), "refresh_in_progress.json");
        written_at(&lease).is_some_and(|at| now.saturating_sub(at) < RENEWAL)
    }

    fn path(&self, dir: &Path, kind: &str) -> PathBuf {
        dir.join(format!("{}_{kind}", self.place.name))
    }
}

impl Store {
    /// Somebody has signed in or out here: nothing is imported from now on, and what was imported
    /// is not used any more.
    pub fn settle(&self) {
        if self.place().is_some() && mark(self).is_none_or(|mark| mark.seen.is_some()) {
            set_mark(self, None).ok();
        }
    }
}

const STABLE: &str = "mcp-remote-v1";
const TOKENS: &str = "tokens.json";
const CLIENT: &str = "client_info.json";

fn not_imported(why: &str) -> Notice {
    Notice::Warning(format!("the sign-in of mcp-remote is not imported: {why}"))
}

fn written_at(path: &Path) -> Option<u64> {
    let written = path.symlink_metadata().ok()?.modified().ok()?;
    Some(written.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Tells two tokens apart, and nothing of either.
fn fingerprint(tokens: &LegacyTokens) -> String {
    hex(digest::digest(&digest::SHA256, tokens.chain().expose().as_bytes()).as_ref())
}

/// The mark; one that cannot be read is one all the same.
fn mark(store: &Store) -> Option<Mark> {
    let dir = store.place()?;
    match fs::read(dir, &dir.join(mark_name(store))) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes?).unwrap_or_default()),
        Err(_) => Some(Mark::default()),
    }
}

fn set_mark(store: &Store, seen: Option<String>) -> Result<(), StoreError> {
    let Some(dir) = store.place() else { return Ok(()) };
    let mark = serde_json::to_vec(&Mark { format: 1, seen }).map_err(std::io::Error::from)?;
    fs::replace(dir, &dir.join(mark_name(store)), &mark)
}

fn mark_name(store: &Store) -> String {
    format!("{}.import.json", store.name)
}

#[cfg(test)]
mod tests;
