//! What a person does with their sign-ins: make one, look at them, end them.

mod login;
mod logout;
mod paste;
mod status;
mod stored;

pub(crate) use login::login;
pub(crate) use logout::logout;
pub(crate) use status::status;
