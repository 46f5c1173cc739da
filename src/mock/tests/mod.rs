//! The gateway tested from outside, over its sockets, with a client that shares no code with it.

mod client;
mod clients;
mod control;
mod dashboard;
mod device;
mod discovery;
mod documents;
mod fault;
mod fault_discovery;
mod fault_mcp;
mod fault_modern;
mod fault_net;
mod fault_token;
mod guard;
mod http;
mod login;
mod modern;
mod oauth;
mod page;
mod raw;
mod sse;
mod start;
mod subscriptions;
mod tls;
