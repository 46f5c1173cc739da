//! What is kept of a server for the next start: how it introduced itself, and which eras of the
//! protocol it was seen to speak. No secret is in it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Bridge;
use super::era::Known;
use crate::core::event::{Effect, StoreCommand};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// What is longer is not remembered.
const MAX_REMEMBERED: usize = 256 << 10;
/// How long a server is taken for what it was, in seconds: it may be renewed, and what is spoken to
/// it for no reason any more would never show that (a week).
const VALID_FOR: u64 = 7 * 24 * 60 * 60;

/// As it is stored; a file of an older version has the first two.
#[derive(Default, Serialize, Deserialize)]
struct Stored<'a> {
    /// The version that the host had asked for in `initialize`.
    requested: Option<&'a str>,
    /// The answer to it.
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spoken: Option<Spoken>,
}

/// What the server speaks, and when that was seen, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spoken {
    #[serde(flatten)]
    known: Known,
    at: u64,
}

/// The same, in memory.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    stored: Option<Bytes>,
    spoken: Option<Spoken>,
}

impl Remembered {
    fn read(&self) -> Stored<'_> {
        let stored = self.stored.as_ref();
        stored.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    }

    /// The answer to `initialize`, if it was for this version.
    pub(super) fn result(&self, requested: Option<&str>) -> Option<&RawValue> {
        let stored = self.read();
        (stored.requested == requested).then_some(stored.result)?
    }

    /// The same for a host that has named none.
    pub(super) fn any_result(&self) -> Option<&RawValue> {
        self.read().result
    }
}

impl Bridge {
    /// What the store knows of the server.
    pub(super) fn recalled(&mut self, bytes: Option<Bytes>, now: Moment) {
        self.remembered.stored = bytes;
        let spoken = self.remembered.read().spoken;
        // A clock that was set back proves nothing.
        let valid = |spoken: &Spoken| now.unix.abs_diff(spoken.at) < VALID_FOR;
        self.remembered.spoken = spoken.filter(valid);
        if let Some(spoken) = self.remembered.spoken {
            self.eras.recall(spoken.known);
        }
    }

    /// Keeps a server's answer to `initialize` for the next start.
    pub(super) fn remember_result(&mut self, result: &RawValue, out: &mut Outbox<'_>) {
        let line = self.handshake.initialize_line().cloned();
        let Some(line) = line else { return };
        let Some(requested) = super::provisional::requested_version(&line) else { return };
        let spoken = self.remembered.spoken;
        let stored = Stored { requested: Some(requested), result: Some(result), spoken };
        let text = serde_json::to_vec(&stored);
        self.keep(text, out);
    }

    /// Keeps what the server was seen to speak.
    pub(super) fn remember_era(&mut self, known: Known, now: Moment, out: &mut Outbox<'_>) {
        let spoken = Some(Spoken { known, at: now.unix });
        self.remembered.spoken = spoken;
        let text = serde_json::to_vec(&Stored { spoken, ..self.remembered.read() });
        self.keep(text, out);
    }

    /// With a configured credential nothing is stored, and without a sign-in there is nothing to
    /// store it with.
    fn keep(&mut self, text: serde_json::Result<Vec<u8>>, out: &mut Outbox<'_>) {
        let (Ok(text), false, Some(_)) = (text, self.access.is_static(), self.access.generation())
        else {
            return;
        };
        let text = Bytes::from(text);
        if text.len() <= MAX_REMEMBERED && self.remembered.stored.as_ref() != Some(&text) {
            self.remembered.stored = Some(text.clone());
            out.push(Effect::Store(StoreCommand::Remember(text)));
        }
    }
}
