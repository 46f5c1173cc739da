//! All IO, no decisions: each edge performs effects and posts events back.

pub mod assertion;
pub mod budget;
pub mod client;
pub mod clock;
pub mod config_file;
mod cookies;
pub mod grant;
pub mod http;
pub mod journal;
pub mod keeper;
pub mod parent;
pub mod processes;
pub mod program;
pub mod redirect;
pub mod revoke;
pub mod signals;
pub mod sse;
pub mod stdio;
pub mod store;
pub mod tls;
pub mod window;
