//! What a person does with their sign-ins (make one, look at them, end them) and with the MCP hosts
//! that start this program.

mod clients;
mod hosts;
mod install;
mod login;
mod logout;
mod paste;
mod status;
mod stored;
mod uninstall;

pub(crate) use clients::clients;
pub(crate) use install::{install, migrate};
pub(crate) use login::login;
pub(crate) use logout::logout;
pub(crate) use status::status;
pub(crate) use uninstall::uninstall;
