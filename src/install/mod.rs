//! The configuration files of MCP hosts, and how an entry comes in and goes out of them without
//! another byte being touched.
//!
//! No IO: text in, text out. Every change is a list of [`Splice`]s on the text as it was, so that
//! comments, order, indentation, byte order mark and line ends stay because nobody writes them.

mod diff;
mod document;
mod entry;
mod format;
mod host;
mod journal;
mod json;
mod mask;
mod mcp_remote;
mod place;
mod plan;
mod toml;
mod value;
mod yaml;

pub use diff::{Side, unified};
pub use document::{Broken, Document, Splice};
pub use entry::{Entry, suggested_name, valid_name};
pub use format::{Format, Found};
pub use host::{HOSTS, Host, Manner, Shape, host};
pub use journal::{Journal, Original, Record, Written};
pub use mask::{is_sensitive, masked};
pub use mcp_remote::n_wrapper_words;
pub use place::{Ambiguous, Base, Disk, Location, Places, Spot, System, locate};
pub use plan::{Change, Standing, Step, Survey, install, migrate, standing, survey, uninstall};
pub use value::Value;

#[cfg(test)]
mod tests;
