//! What the program was asked to do, parsed and validated once.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::secret::Secret;

/// A validated configuration of the bridge: what the rest of the program sees.
#[derive(Clone)]
pub struct Config {
    /// The MCP endpoint.
    pub server: Url,
    /// The endpoint exactly as the user typed it (a slug is written out): the name of the stored
    /// credentials.
    pub server_text: String,
    /// Which transports to try, and in which order.
    pub transport: TransportChoice,
    /// Headers for every request to the endpoint's origin, in order, names as typed.
    pub headers: Vec<Header>,
    /// What to do about a 401.
    pub access: AccessMode,
    /// What the sign-in needs to know.
    pub login: LoginOptions,
    /// How much to say on stderr.
    pub verbosity: Verbosity,
    /// Where the tokens are kept.
    pub state_dir: Option<PathBuf>,
    /// Which store holds the key of the token file.
    pub token_store: TokenStore,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some servers take a key in the query, so neither it nor `server_text` is shown.
        let mut server = self.server.clone();
        server.set_query(None);
        f.debug_struct("Config")
            .field("server", &server.as_str())
            .field("transport", &self.transport)
            .field("headers", &self.headers)
            .field("access", &self.access)
            .field("login", &self.login)
            .field("verbosity", &self.verbosity)
            .field("state_dir", &self.state_dir)
            .field("token_store", &self.token_store)
            .finish_non_exhaustive()
    }
}

/// A header that the user configured. Its value may be a credential.
#[derive(Clone, Debug)]
pub struct Header {
    /// The name as typed.
    pub name: String,
    /// The value, `${VAR}` expanded.
    pub value: Secret,
}

/// What to do about a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// A credential is configured: a 401 is final and never opens a browser.
    Static,
    /// Sign in when the server asks for it.
    OAuth,
}

/// `--transport`, with the default for the URL already taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportChoice {
    /// Streamable HTTP; HTTP+SSE if the server turns out to be an old one.
    HttpFirst,
    /// Streamable HTTP only.
    HttpOnly,
    /// HTTP+SSE; Streamable HTTP if the server turns out not to know it.
    SseFirst,
    /// HTTP+SSE only.
    SseOnly,
}

/// How much to say on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing (`--silent`).
    Silent,
    /// What a person should know.
    Normal,
    /// Every step, without any secret (`--debug`).
    Debug,
}

/// Which store holds the key of the token file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStore {
    /// The keychain of the operating system; where there is none, a file with mode 0600.
    Keychain,
    /// A file with mode 0600.
    File,
    /// Nothing is written.
    Memory,
}

/// What the sign-in needs to know.
#[derive(Clone, Debug)]
pub struct LoginOptions {
    /// The port that the redirect must use; `None`: [`LoginOptions::preferred_port`] or a free one.
    pub port: Option<u16>,
    /// The port to try first when none is demanded: the one that mcp-remote derives from the
    /// server, so that redirect lists at the authorization server go on working.
    pub preferred_port: u16,
    /// The host name in the redirect URI; the listener binds loopback whatever it says.
    pub redirect_host: String,
    /// The path of the redirect URI.
    pub callback_path: String,
    /// How long a person may take to sign in, in seconds.
    pub timeout_seconds: u64,
    /// `--resource`: the value of the `resource` parameter instead of the server's own.
    pub resource: Option<String>,
    /// The program to open URLs with, instead of the system's browser.
    pub browser: Option<String>,
}
