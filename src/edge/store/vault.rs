//! The file's content: sealed with the key from the keychain, or plain.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use super::keychain::{Key, Keychain, KeychainError};
use crate::core::oauth::record::Record;
use crate::edge::clock::random;

/// The form of the file that this version writes.
const FORMAT: u32 = 1;

/// What the file holds: a sealed record with its nonce, or a plain one.
#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// Why a file gives no record.
#[derive(Debug)]
pub(super) enum OpenError {
    Keychain(KeychainError),
    Newer,
    Damaged,
}

/// The file for a record, readable by whoever can read the file.
pub(super) fn plain(record: &Record) -> Option<Vec<u8>> {
    let record = Some(record.clone());
    serde_json::to_vec(&Envelope { format: FORMAT, record, nonce: None, sealed: None }).ok()
}

/// The file for a record, readable by whoever has the key; `name` is sealed in, so that one
/// server's file cannot stand in for another's.
pub(super) fn seal(record: &Record, name: &str, key: &Key) -> Option<Vec<u8>> {
    let mut text = serde_json::to_vec(record).ok()?;
    let nonce: [u8; NONCE_LEN] = random()?;
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let aad = Aad::from(name.as_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).ok()?;
    serde_json::to_vec(&Envelope {
        format: FORMAT,
        record: None,
        nonce: Some(STANDARD.encode(nonce)),
        sealed: Some(STANDARD.encode(text)),
    })
    .ok()
}

/// The record in a file.
pub(super) fn open(
    bytes: &[u8],
    name: &str,
    keychain: &mut dyn Keychain,
) -> Result<Record, OpenError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_slice(bytes).map_err(|_| OpenError::Damaged)?;
    if FORMAT < format {
        return Err(OpenError::Newer);
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| OpenError::Damaged)?;
    if let Some(record) = envelope.record {
        return Ok(record);
    }
    let decode = |text: Option<String>| STANDARD.decode(text?).ok();
    let nonce = decode(envelope.nonce).and_then(|nonce| nonce.try_into().ok());
    let (Some(nonce), Some(mut text)) = (nonce, decode(envelope.sealed)) else {
        return Err(OpenError::Damaged);
    };
    let key = keychain.key_again().map_err(OpenError::Keychain)?;
    if let Some(record) = unseal(&key, nonce, name, &mut text.clone()) {
        return Ok(record);
    }
    // The keychain may hold another key by now, and the file may be sealed with that one.
    let anew = keychain.key_anew().map_err(OpenError::Keychain)?;
    let found = if anew == key { None } else { unseal(&anew, nonce, name, &mut text) };
    found.ok_or(OpenError::Damaged)
}

fn unseal(key: &Key, nonce: [u8; NONCE_LEN], name: &str, text: &mut [u8]) -> Option<Record> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let text = key.open_in_place(nonce, Aad::from(name.as_bytes()), text).ok()?;
    serde_json::from_slice(text).ok()
}
