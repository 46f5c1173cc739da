//! What the store is asked, and what it says.

use bytes::Bytes;

use super::Notice;
use crate::core::oauth::login::Claim;
use crate::core::oauth::record::Record;

/// What the store says.
#[derive(Debug)]
pub enum StoreEvent {
    /// What [`StoreCommand::Remember`] wrote last, perhaps in another process.
    Recalled(Option<Bytes>),
    /// What a person should know about how the store was found.
    Told(Notice),
    /// This process signs in; what is stored, and what a leader before it has left.
    Leading(Option<Box<Record>>, Option<Claim>),
    /// Another process does; the same.
    Following(Option<Box<Record>>, Option<Claim>),
    /// What [`StoreCommand::Claim`] said can be read by the others.
    Claimed,
    /// What is stored, and what a person should know about how it was found.
    Loaded(Option<Box<Record>>, Option<String>),
    /// The lock is held, and this is what is stored.
    Locked(Option<Box<Record>>),
    /// The lock could not be had.
    Busy(String),
    /// The record is written, under this generation.
    Saved {
        /// The generation that was written.
        generation: u64,
        /// Why it is only in memory, where it is.
        warning: Option<String>,
    },
    /// Nothing is written: somebody else has stored this meanwhile.
    Overtaken(Box<Record>),
}

/// What the store can do for the one server of this process.
#[derive(Debug)]
pub enum StoreCommand {
    /// Read everything: answered by `Recalled`, then `Loaded`.
    Load,
    /// Lock and read; the lock is held until `Unlock`.
    Lock,
    /// Write under the lock that is held, or under one of its own where none is.
    Save(Box<Record>),
    /// Give the lock back.
    Unlock,
    /// Nobody has come back from the page of this generation's client, which the server may have
    /// forgotten; not answered.
    Doubt(u64),
    /// Be the one process that signs in: answered by `Leading` or `Following`.
    Lead,
    /// Tell the followers what is going on, or that it is over: answered by `Claimed`.
    Claim(Option<Claim>),
    /// Let another process lead; it will find this.
    Resign(Option<Claim>),
    /// The last sign-in has worked: when its window opened does not matter any more. Not answered.
    Worked,
    /// Write what the server said of itself; no secret, and not answered.
    Remember(Bytes),
}
