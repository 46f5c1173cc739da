//! Connects MCP clients that speak stdio to remote MCP gateways.
//!
//! The layers, each importing only what stands below it:
//! [`cli`] (what the user typed) → [`run`] (the one loop) → [`edge`] (all IO, no decisions) →
//! [`core`] (all decisions, no IO), with [`install`] beside it (the configuration files of hosts).
//! [`report`] holds the only wording of failures.
//! `mock` is a gateway to test against; it shares no code with the rest, so that one misreading
//! of a standard cannot cancel itself out.

pub mod cli;
pub mod config;
pub mod core;
pub mod edge;
pub mod install;
#[cfg(feature = "mock")]
pub mod mock;
pub mod report;
pub mod run;
pub mod secret;
mod verbs;

pub use run::main;
