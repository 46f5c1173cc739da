//! Sign-in and tokens: what the authorization standards ask of a client.

pub mod record;
