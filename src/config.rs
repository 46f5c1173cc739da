//! What the program was asked to do, parsed and validated once.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::secret::Secret;

/// A validated configuration of the bridge: what the rest of the program sees.
#[derive(Clone)]
pub struct Config {
    /// The MCP endpoint.
    pub server: Url,
    /// The endpoint exactly as the user typed it (a slug is written out).
    pub server_text: String,
    /// What tells this sign-in from every other one: the name of its stored record.
    pub store_key: String,
    /// Which transports to try, and in which order.
    pub transport: TransportChoice,
    /// Which era of the protocol is spoken to the server.
    pub protocol: Protocol,
    /// Headers for every request to the endpoint's origin, in order, names as typed.
    pub headers: Vec<Header>,
    /// What to do about a 401.
    pub access: AccessMode,
    /// Who started this process.
    pub caller: Caller,
    /// What the sign-in needs to know.
    pub login: LoginOptions,
    /// How the network is used.
    pub network: Network,
    /// How long the gateway may be silent.
    pub liveness: Liveness,
    /// The patterns of the names of tools that the host does not see.
    pub hidden_tools: Vec<String>,
    /// How much to say on stderr.
    pub verbosity: Verbosity,
    /// Where the tokens are kept.
    pub state_dir: Option<PathBuf>,
    /// Which store holds the key of the token file.
    pub token_store: TokenStore,
    /// Whether there is a display on which a keychain can ask a person.
    pub desktop: bool,
    /// Where mcp-remote would have kept this sign-in, if the environment says.
    pub mcp_remote: Option<McpRemote>,
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
            .field("caller", &self.caller)
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

/// Who started this process, and how much a sign-in may ask of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An MCP host, which gives up on what takes long.
    Host,
    /// A person who wants to sign in, and waits for it.
    Person {
        /// Whether the sign-in that there is does not count.
        again: bool,
    },
    /// Somebody who only wants to know: nobody is asked for anything.
    Nobody,
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

/// `--protocol`: which era of the protocol is spoken to the server, whatever the host speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The host's, if the server speaks that; the other one if not.
    #[default]
    Auto,
    /// Revisions with a handshake, up to 2025-11-25.
    Legacy,
    /// Revisions without, from 2026-07-28 on.
    Modern,
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

/// Where mcp-remote keeps one sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpRemote {
    /// The directory above its `mcp-remote-…` directories.
    pub dir: PathBuf,
    /// What the names of the files begin with.
    pub name: String,
}

/// How the network is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Whether the proxies of the environment and of the system are used.
    pub proxy: bool,
    /// Certificates, in PEM, that are trusted besides the system's own.
    pub authorities: Vec<String>,
    /// The certificate and the key, in PEM, that this program shows.
    pub identity: Option<Secret>,
    /// Whether IPv6 is left alone.
    pub ipv4_only: bool,
    /// Whether cookies of the server's origin are sent back.
    pub cookies: bool,
    /// To be connected, TLS included.
    pub connect_limit: Duration,
    /// From a message to the head of its answer; `None`: for ever.
    pub head_limit: Option<Duration>,
    /// Between two pieces of an answer; `None`: for ever.
    pub pause_limit: Option<Duration>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            proxy: true,
            authorities: Vec::new(),
            identity: None,
            ipv4_only: false,
            cookies: true,
            // Three times what a slow mobile network takes.
            connect_limit: Duration::from_secs(10),
            // A server that answers with JSON sends it only when the tool is done, so this is the
            // longest that a tool may run; the host has its own, shorter limit.
            head_limit: Some(Duration::from_hours(1)),
            pause_limit: None,
        }
    }
}

/// How long the gateway may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// When it is asked whether it is there.
    pub ping: Ping,
    /// How long a request may take without an answer or news of progress; `None`: for ever.
    pub request_limit: Option<Duration>,
}

impl Default for Liveness {
    fn default() -> Self {
        // Longer than any tool that a person waits for; hosts have their own, shorter limit.
        Self { ping: Ping::WhenSilent, request_limit: Some(Duration::from_hours(1)) }
    }
}

/// When the gateway is asked whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// When something is due and nothing comes.
    WhenSilent,
    /// Again and again, which also keeps connections open that are closed when they are idle.
    Every(Duration),
    /// Never.
    Never,
}

/// What the sign-in needs to know.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginOptions {
    /// How tokens are come by.
    pub way: Way,
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
    /// The value of the `resource` parameter.
    pub resource: ResourceParameter,
    /// A client that was registered beforehand (`--static-oauth-client-info`).
    pub client: Option<ConfiguredClient>,
    /// The URL of a client metadata document, to be used as the client's id where the server
    /// knows such ids.
    pub client_metadata_url: Option<String>,
    /// Members of the registration request that the user wants otherwise (RFC 7591 §2).
    pub registration: serde_json::Map<String, serde_json::Value>,
    /// Parameters of the authorization request that the user adds or wants otherwise.
    pub authorize_params: Vec<(String, String)>,
    /// Whether the ID token is sent in place of the access token.
    pub use_id_token: bool,
    /// What the metadata may get wrong.
    pub tolerance: Tolerance,
    /// Where the browser goes after a sign-in that worked, instead of our own page.
    pub success_url: Option<Url>,
    /// The program to open URLs with, instead of the system's browser.
    pub browser: Option<String>,
    /// Whether there is no display to open a browser on.
    pub headless: bool,
    /// Variables that a browser needs and this process does not have.
    pub desktop: Vec<(String, OsString)>,
}

impl LoginOptions {
    /// The scope that the user has fixed, if any.
    pub fn scope(&self) -> Option<&str> {
        self.registration.get("scope")?.as_str()
    }
}

impl fmt::Debug for LoginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters and client metadata are the user's own text, and may hold anything.
        f.debug_struct("LoginOptions")
            .field("way", &self.way)
            .field("port", &self.port)
            .field("redirect_host", &self.redirect_host)
            .field("callback_path", &self.callback_path)
            .field("timeout_seconds", &self.timeout_seconds)
            .field("headless", &self.headless)
            .finish_non_exhaustive()
    }
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self {
            way: Way::Browser,
            port: None,
            preferred_port: 0,
            redirect_host: "localhost".to_owned(),
            callback_path: "/oauth/callback".to_owned(),
            timeout_seconds: 300,
            resource: ResourceParameter::Announced,
            client: None,
            client_metadata_url: None,
            registration: serde_json::Map::new(),
            authorize_params: Vec::new(),
            use_id_token: false,
            tolerance: Tolerance::default(),
            success_url: None,
            browser: None,
            headless: false,
            desktop: Vec::new(),
        }
    }
}

/// What the metadata of a sign-in may get wrong, because the user knows better (`--tolerate`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// It names another issuer than the one that was asked (RFC 8414 §3.3).
    pub issuer: bool,
    /// It does not say that the server knows PKCE (MCP 2025-11-25).
    pub pkce: bool,
    /// It is about another resource (RFC 9728 §3.3).
    pub resource: bool,
}

/// How tokens are come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A person signs in with a browser on this machine (RFC 8252).
    Browser,
    /// A person signs in with a browser somewhere else (RFC 8628).
    Device,
    /// The client has credentials of its own (RFC 6749 §4.4).
    Client {
        /// Where, if no metadata is to be asked.
        token_endpoint: Option<Url>,
    },
}

/// The value of the `resource` parameter (RFC 8707).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceParameter {
    /// What the server's metadata says.
    Announced,
    /// This.
    Fixed(String),
    /// The parameter is left out.
    Omitted,
}

/// A client that was registered beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredClient {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: Option<Secret>,
    /// `token_endpoint_auth_method` (RFC 7591 §2).
    pub auth_method: Option<String>,
    /// The key that signs its assertions (RFC 7523 §2.2).
    pub key: Option<ClientKey>,
}

/// A private key of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// PKCS#8 in PEM.
    pub pem: Secret,
    /// The `kid` of the assertions' header, where the server needs it.
    pub id: Option<String>,
}
