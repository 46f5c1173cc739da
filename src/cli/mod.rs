//! What the user typed; the only reader of the environment.
//!
//! Two stages: `typed` reads the arguments and cannot fail for a reason outside of them;
//! `resolve` consults the environment and makes the [`Config`] that the rest of the program sees.

mod argv;
mod desktop;
mod environment;
mod flags;
mod headers;
mod help;
mod install;
mod legacy;
mod network;
mod places;
mod resolve;
mod server;
mod sign_in;
mod state_dir;
mod typed;
mod verbs;
mod words;

use std::ffi::OsString;

pub use environment::{Environment, ProcessEnvironment};
pub use install::{ClientsRequest, InstallRequest, MigrateRequest, Target, UninstallRequest};
pub use verbs::{LogoutRequest, StatusRequest};

use crate::config::Config;

/// What to do.
#[derive(Debug)]
pub enum Invocation {
    /// Connect stdin and stdout to a server.
    Bridge {
        /// How.
        config: Box<Config>,
        /// What to say on stderr first, one line each, after `warning: `. With
        /// [`Verbosity::Silent`](crate::config::Verbosity::Silent) they are not said.
        warnings: Vec<String>,
    },
    /// Sign in now.
    Login {
        /// How.
        config: Box<Config>,
        /// What to say on stderr first.
        warnings: Vec<String>,
    },
    /// Show the sign-ins.
    Status(StatusRequest),
    /// End sign-ins.
    Logout(LogoutRequest),
    /// Put an entry into the files of MCP hosts.
    Install(Box<InstallRequest>),
    /// Put this program in the place of mcp-remote.
    Migrate(MigrateRequest),
    /// Take entries out.
    Uninstall(UninstallRequest),
    /// Show the MCP hosts.
    Clients(ClientsRequest),
    /// Print this on stdout and exit with 0.
    Print(String),
    /// Be the program that the browser helper starts (hidden first argument).
    RedirectHelper,
    /// Say this on stderr and exit with 2.
    Misuse {
        /// After `error: `.
        message: String,
        /// After `hint: `.
        hint: Option<String>,
    },
}

/// Reads the arguments, which do not include the program's own name.
///
/// Neither warnings nor errors ever repeat a value: a credential may be in any of them.
pub fn parse(args: Vec<OsString>, environment: &dyn Environment) -> Invocation {
    if args.first().is_some_and(|arg| arg == REDIRECT_HELPER) {
        return Invocation::RedirectHelper;
    }
    let misuse = |Misuse { message, hint }| Invocation::Misuse { message, hint };
    let verb = verbs::parse(&args, environment).or_else(|| install::parse(&args, environment));
    if let Some(verb) = verb {
        return verb.unwrap_or_else(misuse);
    }
    if let Some(text) = flags::printed(&args) {
        return Invocation::Print(text);
    }
    let typed = typed::read(args).and_then(|mut typed| match typed.mistyped.take() {
        Some(error) => Err(error),
        None => Ok(typed),
    });
    match typed.and_then(|typed| resolve::resolve(typed, environment)) {
        Ok((config, warnings)) => Invocation::Bridge { config: Box::new(config), warnings },
        Err(error) => misuse(error),
    }
}

/// The flags of the bare form as clap describes them, for manual pages and completions.
pub fn command() -> clap::Command {
    flags::command()
}

/// What to say on stderr when stdin is a terminal: a person is trying the program out.
pub const TERMINAL_HINT: &str = "\
this program is started by an MCP client and talks to it over stdin and stdout;
put it into the client's configuration with `apexmcp-bridge install`, sign in with
`apexmcp-bridge login`, or see `apexmcp-bridge --help`.
Press Ctrl-C to end it.";

/// The hidden first argument of [`Invocation::RedirectHelper`].
pub const REDIRECT_HELPER: &str = "__redirect-helper";

/// A command line that cannot be obeyed.
struct Misuse {
    message: String,
    hint: Option<String>,
}

impl Misuse {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

#[cfg(test)]
mod tests;
