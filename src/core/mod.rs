//! All decisions: no IO, no clock, no environment, no randomness, no `async`.

pub mod oauth;
