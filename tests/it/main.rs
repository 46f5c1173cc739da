//! Black-box tests: the real programs over real pipes and sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a panic is how a test fails, and tests read clocks"
)]

mod abuse;
mod chain;
mod conversation;
mod drop_in;
mod endings;
mod eras;
mod faults;
mod import;
#[cfg(target_os = "linux")]
mod install;
#[cfg(target_os = "linux")]
mod keyring;
mod memory;
#[cfg(target_os = "linux")]
mod middleboxes;
mod mock;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod network;
mod outages;
mod raw;
mod secrets;
mod setups;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod storage;
mod support;
mod tidy;
mod together;
mod verbs;
mod ways;
