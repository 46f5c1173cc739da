//! Sign-in and tokens: what the authorization standards ask of a client.

pub mod access;
pub mod challenge;
pub mod discovery;
pub mod failure;
pub mod grant;
pub mod legacy;
pub mod login;
pub mod metadata;
pub mod record;
pub mod refresh;
pub mod registration;
