//! The gateway tested from outside, over its sockets, with a client that shares no code with it.

mod client;
mod clients;
mod device;
mod discovery;
mod documents;
mod fault;
mod guard;
mod http;
mod login;
mod oauth;
mod page;
mod sse;
mod start;
