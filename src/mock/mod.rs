//! A gateway to test against: ApexMCP's endpoints, sign-in included, on loopback.
//!
//! It imports nothing from the rest of this package, so that one misreading of a standard cannot
//! cancel itself out. Nothing in it protects anything: its keys are made at the start and gone at
//! the end.

mod clock;
mod gateway;
mod jwt;
mod mcp;
mod oauth;
mod plan;
mod program;
mod sse;
mod state;
mod streamable;
mod tools;
mod web;

pub use gateway::Gateway;
pub use plan::{Consent, Plan};
pub use program::main;
pub use state::LoggedRequest;
