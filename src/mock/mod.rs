//! A gateway to test against: the parts of ApexMCP that a client meets, on this machine only.
//!
//! [`Gateway::start`] runs it inside a test, [`main`] runs it as a program. It speaks both MCP
//! transports, is its own OAuth 2.1 authorization server with sign-in and consent pages on a second
//! origin, keeps a log of every request, and fails on demand.
//!
//! It shares no code with the rest of the crate, so that one misreading of a standard cannot
//! cancel itself out. It protects nothing: do not let anybody but a test talk to it.

mod arguments;
mod cli;
mod clock;
mod control;
mod credentials;
mod evidence;
mod fault;
mod gateway;
mod guard;
mod jwk;
mod keys;
mod limits;
mod live;
mod log;
mod mcp;
mod network;
mod oauth;
mod plan;
mod role;
mod serve;
mod state;
mod strike;
mod tenant;
mod tls;
mod web;
mod wire;

#[cfg(test)]
mod tests;

pub use cli::main;
pub use credentials::{ApiKey, Authentication, HandoffSecret, MachineClient, StaticClient};
pub use evidence::{ClientOrigin, ClientRecord, RefreshTokenRecord, RunEnding, ToolRun};
pub use fault::{Fault, FaultOrder, Flaw, ListenFlaw, Route};
pub use gateway::Gateway;
pub use jwk::PublicKey;
pub use log::{Credential, LoggedMessage, LoggedRequest, Site, fingerprint};
pub use mcp::Change;
pub use network::Network;
pub use oauth::IdentityProvider;
pub use plan::{
    Answers, Auth, Bearer, Consent, Device, Discovery, Eras, Plan, Registration, StepUp,
};
