//! All decisions: no IO, no clock, no environment, no randomness, no `async`.
//!
//! [`bridge::Bridge::handle`] takes one [`event::Event`] and the [`time::Moment`] it happened in,
//! and pushes [`event::Effect`]s for the edges to perform. Both are closed lists, so a test is a
//! script of events, and whole days of expiry and outage run in microseconds.

pub mod backoff;
pub mod bridge;
pub mod event;
pub mod failure;
pub mod jsonrpc;
pub mod link;
pub mod members;
pub mod oauth;
pub mod outbox;
mod redact;
pub mod time;
pub mod tools;
pub mod translate;
