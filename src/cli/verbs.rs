//! The verbs: what a person types, with the verb first.
//!
//! They take the flags of the bare form, so that the same words mean the same sign-in, and some of
//! their own. In the bare form an unknown flag is skipped, because a host's configuration must not
//! break; a person is told instead.

use std::ffi::OsString;
use std::path::PathBuf;

use super::environment::Environment;
use super::{Invocation, Misuse, flags, help, network, resolve, typed};
use crate::config::{Caller, Config, Network, TokenStore};

/// `status`.
#[derive(Debug)]
pub struct StatusRequest {
    /// One sign-in; `None`: all that are kept in the directory.
    pub config: Option<Box<Config>>,
    /// Where they are kept.
    pub state_dir: Option<PathBuf>,
    /// In which kind of store.
    pub token_store: TokenStore,
    /// For programs.
    pub json: bool,
    /// Whether the server is asked.
    pub check: bool,
}

/// `logout`.
#[derive(Debug)]
pub struct LogoutRequest {
    /// One sign-in; `None`: all that are kept in the directory.
    pub config: Option<Box<Config>>,
    /// Where they are kept.
    pub state_dir: Option<PathBuf>,
    /// In which kind of store.
    pub token_store: TokenStore,
    /// How the servers are reached.
    pub network: Network,
    /// Whether the server is told.
    pub revoke: bool,
    /// Whether the client registration goes too.
    pub forget_client: bool,
}

/// Reads the arguments, if they begin with a verb.
pub(super) fn parse(
    args: &[OsString],
    environment: &dyn Environment,
) -> Option<Result<Invocation, Misuse>> {
    let (verb, rest) = args.split_first()?;
    let verb = VERBS.iter().find(|known| *verb == *known.name)?;
    let mut own = Vec::new();
    let mut others = Vec::new();
    for arg in rest {
        if arg == "--help" || arg == "-h" {
            return Some(Ok(Invocation::Print(help_of(verb))));
        }
        if arg == "--version" || arg == "-V" {
            return Some(Ok(Invocation::Print(flags::version())));
        }
        match verb.flags.iter().find(|flag| arg == **flag) {
            Some(flag) => own.push(*flag),
            None => others.push(arg.clone()),
        }
    }
    Some(read(verb.name, &own, others, environment))
}

fn read(
    verb: &'static str,
    own: &[&str],
    args: Vec<OsString>,
    environment: &dyn Environment,
) -> Result<Invocation, Misuse> {
    let typed = typed::read(args)?;
    if let Some(flag) = typed.unknown.first() {
        return Err(Misuse::new(format!("`{verb}` has no flag `{flag}`"))
            .hint(format!("`apexmcp-bridge {verb} --help` lists them")));
    }
    let has = |flag: &str| own.contains(&flag);
    let has_server = !typed.flags.server.is_empty();
    let (state_dir, token_store) = resolve::place(&typed.flags, environment)?;
    let mut warnings = Vec::new();
    let network = network::options(&typed.flags, environment, &mut warnings)?;
    let mut config = None;
    if has_server {
        let (resolved, said) = resolve::resolve(typed, environment)?;
        config = Some(Box::new(resolved));
        warnings = said;
    }
    match (verb, config) {
        ("login", Some(mut config)) => {
            config.caller = Caller::Person { again: has("--force") };
            config.login.headless |= has("--no-browser");
            Ok(Invocation::Login { config, warnings })
        }
        ("login", None) => Err(Misuse::new("no server is given, expected a URL or a slug")
            .hint("usage: apexmcp-bridge login [OPTIONS] <SERVER> [PORT]")),
        ("status", config) => {
            let check = has("--check");
            if check && config.is_none() {
                return Err(Misuse::new("`--check` asks a server, and none is given")
                    .hint("`apexmcp-bridge status` lists the sign-ins that there are"));
            }
            let config = config.map(|mut config| {
                config.caller = Caller::Nobody;
                config
            });
            let json = has("--json");
            Ok(Invocation::Status(StatusRequest { config, state_dir, token_store, json, check }))
        }
        (_, config) => {
            if config.is_none() && !has("--all") {
                return Err(Misuse::new("no server is given, and not `--all` either")
                    .hint("`apexmcp-bridge status` lists the sign-ins that there are"));
            }
            let (revoke, forget_client) = (!has("--no-revoke"), has("--forget-client"));
            Ok(Invocation::Logout(LogoutRequest {
                config,
                state_dir,
                token_store,
                network,
                revoke,
                forget_client,
            }))
        }
    }
}

struct Verb {
    name: &'static str,
    flags: &'static [&'static str],
    help: &'static str,
}

/// The verbs.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|verb| verb.name)
}

/// Whether the word is a verb that there is.
pub(super) fn is_verb(text: &str) -> bool {
    VERBS.iter().any(|verb| verb.name == text)
}

fn help_of(verb: &Verb) -> String {
    format!("{}\n{}", verb.help, help::SEE_ALSO)
}

const VERBS: &[Verb] = &[
    Verb {
        name: "login",
        flags: &["--force", "--no-browser"],
        help: "\
Sign in to a server now, so that no MCP client has to wait for it.

The tokens are kept where the bridge looks for them: sealed with a key in the
system's keychain, or in a file that only you can read (`--token-store`). Give
the server and the flags exactly as in the MCP client's configuration.

Without a browser on this machine: open the address that is shown in a browser
anywhere. It ends at an address that does not load there; copy that address
from the browser, paste it here, and press Enter.

Usage: apexmcp-bridge login [OPTIONS] <SERVER> [PORT]

Options:
      --force       Sign in again, even if there is a sign-in that works
      --no-browser  Open no browser; the address is shown

Examples:
  # Sign in to the ApexMCP organisation `acme`
  $ apexmcp-bridge login acme

  # On a machine without a display
  $ apexmcp-bridge login acme --no-browser

Exit status: 0 signed in, or nobody has to; 2 wrong command line; 4 the sign-in
did not work; 5 the server cannot be reached; 6 this machine: the sign-in
redirect cannot be listened for, or a file cannot be read or written.
",
    },
    Verb {
        name: "logout",
        flags: &["--all", "--forget-client", "--no-revoke"],
        help: "\
End a sign-in: its tokens are revoked at the server, where it offers that, and
deleted here. A bridge that is running goes on until its access token expires.

Usage: apexmcp-bridge logout [OPTIONS] <SERVER>
       apexmcp-bridge logout [OPTIONS] --all

Options:
      --all            End all sign-ins
      --forget-client  Delete the client registration too
      --no-revoke      Do not tell the server

Exit status: 0 ended, or there was none; 1 the server was not told; 2 wrong
command line; 6 the store cannot be read or written.
",
    },
    Verb {
        name: "status",
        flags: &["--check", "--json"],
        help: "\
Show the sign-ins that are kept on this machine. No secret is shown, and nobody
is asked, unless you say `--check`.

Usage: apexmcp-bridge status [OPTIONS] [SERVER]

Options:
      --check  Ask the server whether the sign-in works; renews it where needed,
               and never opens a browser
      --json   For programs

Exit status: 0; with a server: 4 not signed in; with `--check`: 5 the server
cannot be reached; 6 the store cannot be read.
",
    },
];
