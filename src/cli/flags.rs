//! The one table of flags: clap's own [`clap::Command`], which also writes the help.
//!
//! Every value is text here. What a bad value means is decided in `resolve`, because a host's
//! configuration that mcp-remote accepts must not stop the bridge.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, CommandFactory, Parser};

use super::help::{AFTER_LONG_HELP, LONG_ABOUT};

/// What the user typed, as text.
#[derive(Parser)]
#[command(
    name = "apexmcp-bridge",
    version,
    about = "Connect MCP clients that speak stdio to a remote MCP gateway",
    long_about = LONG_ABOUT,
    override_usage = "apexmcp-bridge [OPTIONS] <SERVER> [PORT]",
    after_help = "`--help` says more and has examples.",
    after_long_help = AFTER_LONG_HELP,
    term_width = 80,
    disable_help_flag = true,
    disable_version_flag = true
)]
#[expect(clippy::struct_excessive_bools, reason = "they are the switches of the command line")]
pub(super) struct Flags {
    /// URL of the MCP server, or the slug of an ApexMCP organisation
    ///
    /// The slug `acme` means `https://mcp.apexmcp.ai/mcp/acme/sse`. An address without a scheme
    /// is taken as https.
    #[arg(value_name = "SERVER")]
    pub(super) server: String,

    /// Port of the sign-in redirect [default: derived from the server]
    ///
    /// With a port given, only this one is used. The derived port is the one that mcp-remote
    /// derives; if it is taken, a free one is used.
    #[arg(value_name = "PORT")]
    pub(super) port: Option<String>,

    /// Send this header to the server; may be repeated
    ///
    /// `${NAME}` in the value stands for the environment variable NAME. If that is not set, the
    /// header is left out. With `Authorization` or an API key header, the bridge never opens a
    /// browser; if the variable of such a header is not set, it does not start.
    #[arg(long, value_name = "NAME:VALUE", help_heading = "Connection")]
    pub(super) header: Vec<String>,

    /// Read headers from a file, one `Name: value` a line
    ///
    /// Blank lines and lines that begin with `#` are skipped. `${NAME}` works as in `--header`.
    /// May be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(super) header_file: Vec<PathBuf>,

    /// http-first, sse-first, http-only or sse-only
    ///
    /// Which transport to use: http is Streamable HTTP, sse the older HTTP+SSE. The default is sse-first for a server address that ends in `/sse`, and http-first for
    /// every other.
    #[arg(long, value_name = "ORDER", help_heading = "Connection")]
    pub(super) transport: Option<String>,

    /// auto, legacy or modern [default: auto]
    ///
    /// Which era of the protocol the server is spoken to in, whatever the host speaks: `legacy` is
    /// up to 2025-11-25, `modern` from 2026-07-28 on. `auto` finds out, and translates where host
    /// and server differ.
    #[arg(long, value_name = "ERA", help_heading = "Connection")]
    pub(super) protocol: Option<String>,

    /// Allow http to servers other than this machine
    ///
    /// Without it, http is accepted for `localhost`, 127.0.0.0/8 and `[::1]` only.
    #[arg(long, help_heading = "Connection")]
    pub(super) allow_http: bool,

    /// Hide the tools of this name from the host; may be repeated
    ///
    /// `*` stands for any text, and the case does not matter.
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    pub(super) ignore_tool: Vec<String>,

    /// Use no proxy
    ///
    /// Otherwise the proxies of the environment and of the system are used, but never for this
    /// machine.
    #[arg(long, help_heading = "Network")]
    pub(super) no_proxy: bool,

    /// Trust these authorities too
    ///
    /// Certificates in PEM, besides those that the system trusts and those of
    /// `NODE_EXTRA_CA_CERTS`. May be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub(super) ca_cert: Vec<PathBuf>,

    /// Certificate and key that this program shows
    ///
    /// Both in one PEM file, for servers that ask for one.
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub(super) client_cert: Option<PathBuf>,

    /// Use IPv4 only
    #[arg(long, help_heading = "Network")]
    pub(super) ipv4: bool,

    /// How long a connection may take to be made [default: 10]
    #[arg(long, value_name = "SECONDS", help_heading = "Network")]
    pub(super) connect_timeout: Option<String>,

    /// How long the head of an answer may take [default: 3600]
    ///
    /// A server that answers with JSON sends it when the tool is done. 0 is without end.
    #[arg(long, value_name = "SECONDS", help_heading = "Network")]
    pub(super) headers_timeout: Option<String>,

    /// How long an answer may pause [default: 0, without end]
    #[arg(long, value_name = "SECONDS", help_heading = "Network")]
    pub(super) body_timeout: Option<String>,

    /// How long a request may take [default: 3600]
    ///
    /// Without an answer, and without news of progress. Then it is cancelled, and gets an error.
    /// 0 is without end.
    #[arg(long, value_name = "SECONDS", help_heading = "Network")]
    pub(super) request_timeout: Option<String>,

    /// Ask the server every 30 s whether it is there
    ///
    /// Otherwise it is asked after a minute in which something was due and nothing came.
    #[arg(long, help_heading = "Network")]
    pub(super) keep_alive: bool,

    /// The same every so many seconds; 0: never
    #[arg(long, value_name = "SECONDS", help_heading = "Network")]
    pub(super) ping_interval: Option<String>,

    /// Forget the cookies of load balancers
    ///
    /// Otherwise they are kept for the server's origin while this program runs.
    #[arg(long, help_heading = "Network")]
    pub(super) disable_cookies: bool,

    /// Host name in the sign-in redirect
    ///
    /// The default is `localhost`, on Windows `127.0.0.1`. The bridge listens on loopback
    /// whatever it says.
    #[arg(long, value_name = "NAME", help_heading = "Sign-in")]
    pub(super) host: Option<String>,

    /// Path of that redirect [default: /oauth/callback]
    #[arg(long, value_name = "PATH", help_heading = "Sign-in")]
    pub(super) callback_path: Option<String>,

    /// How long a sign-in may take [default: 300]
    ///
    /// From the opening of the browser to its return, at most 86400 seconds. (In mcp-remote this
    /// flag does not bound the sign-in.)
    #[arg(long, value_name = "SECONDS", help_heading = "Sign-in")]
    pub(super) auth_timeout: Option<String>,

    /// Sign in with a browser on another machine
    ///
    /// The address and a code are told on stderr (RFC 8628). Without a display this is done anyway
    /// where the authorization server offers it.
    #[arg(long, help_heading = "Sign-in")]
    pub(super) device_code: bool,

    /// Where the browser goes after a sign-in that worked
    #[arg(long, value_name = "URL", help_heading = "Sign-in")]
    pub(super) auth_success_url: Option<String>,

    /// Resource to ask a token for
    ///
    /// An absolute URI, sent as `resource` (RFC 8707). The default is what the server names; an
    /// empty value leaves the parameter out.
    #[arg(long, value_name = "URI", help_heading = "Sign-in")]
    pub(super) resource: Option<String>,

    /// Leave the `resource` parameter out
    ///
    /// Some authorization servers, like Microsoft Entra ID, refuse it.
    #[arg(long, help_heading = "Sign-in")]
    pub(super) disable_resource_parameter: bool,

    /// Add to the authorization request; may be repeated
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Sign-in")]
    pub(super) authorize_param: Vec<String>,

    /// Send the ID token in place of the access token
    #[arg(long, help_heading = "Sign-in")]
    pub(super) use_id_token: bool,

    /// Go on although the metadata is wrong about this; may be repeated
    ///
    /// `issuer`: it names another issuer; `pkce`: it does not say that PKCE is known; `resource`:
    /// it is about another resource. Each of them protects the sign-in from a server that pretends
    /// to be another one.
    #[arg(long, value_name = "WHAT", help_heading = "Sign-in")]
    pub(super) tolerate: Vec<String>,

    /// A client that is registered already
    ///
    /// JSON with `client_id` and, where there is one, `client_secret`; or `@` and the path of a
    /// file that holds it. `${NAME}` stands for an environment variable.
    #[arg(long, value_name = "JSON", help_heading = "Client")]
    pub(super) static_oauth_client_info: Option<String>,

    /// Members of the client registration
    ///
    /// JSON, or `@` and the path of a file that holds it; added to what this program registers,
    /// for example `{"scope":"mcp:call","client_name":"Reports"}`. A `scope` in it is the one that
    /// is asked for.
    #[arg(long, value_name = "JSON", help_heading = "Client")]
    pub(super) static_oauth_client_metadata: Option<String>,

    /// Document that describes the client
    ///
    /// Its https URL is the client's id, where the authorization server knows such ids.
    #[arg(long, value_name = "URL", help_heading = "Client")]
    pub(super) client_metadata_url: Option<String>,

    /// Sign in as the client itself, without a person
    ///
    /// Needs `--static-oauth-client-info` with a secret, or `--client-private-key`. Nothing is
    /// stored.
    #[arg(long, help_heading = "Client")]
    pub(super) client_credentials: bool,

    /// Token endpoint for `--client-credentials`
    ///
    /// Without it the server's metadata says where the endpoint is.
    #[arg(long, value_name = "URL", help_heading = "Client")]
    pub(super) token_endpoint: Option<String>,

    /// Key file that proves who the client is
    ///
    /// PKCS#8 in PEM: P-256, Ed25519 or RSA. Used as `private_key_jwt`
    /// (RFC 7523) for the client of `--static-oauth-client-info`.
    #[arg(long, value_name = "FILE", help_heading = "Client")]
    pub(super) client_private_key: Option<PathBuf>,

    /// Key ID that its assertions name
    #[arg(long, value_name = "ID", help_heading = "Client")]
    pub(super) client_key_id: Option<String>,

    /// keychain, file or memory [default: keychain]
    ///
    /// Where tokens are kept. `keychain` seals them with a key in the system's keychain; where
    /// there is none, it acts as `file`. `file` keeps them readable for you alone. `memory` writes
    /// nothing.
    #[arg(long, value_name = "STORE", help_heading = "Storage")]
    pub(super) token_store: Option<String>,

    /// Say every step on stderr, without secrets
    #[arg(long, help_heading = "Output")]
    pub(super) debug: bool,

    /// Say nothing on stderr; `--debug` wins
    #[arg(long, help_heading = "Output")]
    pub(super) silent: bool,
}

/// The flags, their arity and their help.
pub(super) fn command() -> clap::Command {
    // Proxies of the environment are used without being asked, so this one has its effect.
    let enable_proxy =
        Arg::new("enable-proxy").long("enable-proxy").hide(true).action(ArgAction::SetTrue);
    let help = Arg::new("help")
        .long("help")
        .short('h')
        .help("Print help; `-h` is short, `--help` is complete")
        .help_heading("Output")
        .action(ArgAction::HelpLong);
    let version = Arg::new("version")
        .long("version")
        .short('V')
        .help("Print the version")
        .help_heading("Output")
        .action(ArgAction::Version);
    Flags::command().args([enable_proxy, help, version])
}

/// The text that `--help` or `--version` asks for. They win over everything, wherever they stand.
pub(super) fn printed(args: &[OsString]) -> Option<String> {
    args.iter().find_map(|arg| match arg.to_str()?.split('=').next()? {
        "-h" => Some(help(&command().render_help())),
        "--help" => Some(help(&command().render_long_help())),
        "-V" | "--version" => Some(version()),
        _ => None,
    })
}

/// What `--version` prints.
pub(super) fn version() -> String {
    command().render_version()
}

/// Clap pads the blank lines between paragraphs.
fn help(rendered: &StyledStr) -> String {
    rendered.to_string().lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}
