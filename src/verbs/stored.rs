//! The stored sign-ins, as a person may see them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::config::{Config, TokenStore};
use crate::core::oauth::record::Record;
use crate::edge::store::{Store, StoreError, SystemKeychain};

/// Which sign-in, and where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Where {
    /// The directory.
    pub(crate) dir: Option<PathBuf>,
    /// The kind of store.
    pub(crate) choice: TokenStore,
    /// The name of the record.
    pub(crate) name: String,
}

/// A sign-in that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) path: PathBuf,
}

impl Where {
    /// The sign-in of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            dir: config.state_dir.clone(),
            choice: config.token_store,
            name: Store::name(&config.store_key),
        }
    }

    /// All that are kept in a directory.
    pub(crate) fn all(dir: Option<&Path>, choice: TokenStore) -> Vec<Self> {
        let entries = dir.map(std::fs::read_dir).into_iter().flatten().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let name = name.strip_suffix(".json")?;
                let is_record = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
                is_record.then(|| name.to_owned())
            })
            .collect();
        names.sort();
        let place = |name| Self { dir: dir.map(Path::to_path_buf), choice, name };
        names.into_iter().map(place).collect()
    }

    /// The store.
    pub(crate) fn open(&self) -> Store {
        let keychain = Box::new(SystemKeychain::new(true));
        Store::named(self.dir.clone(), self.choice, self.name.clone(), keychain)
    }
}

/// Reads one; `None` if there is none.
pub(crate) fn read(place: &Where) -> Result<Option<Found>, StoreError> {
    let store = place.open().peek()?;
    let path = place.dir.clone().unwrap_or_default().join(format!("{}.json", place.name));
    Ok(store.map(|record| Found { record, path }))
}

/// The claims of an access token that is a JSON Web Token. Nobody verifies them: they are shown to
/// the person whose token it is, and nothing depends on them.
pub(crate) fn claims(record: &Record) -> Map<String, Value> {
    let payload = record.tokens.as_ref().and_then(|tokens| {
        let payload = tokens.access.expose().split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    });
    payload.unwrap_or_default()
}
