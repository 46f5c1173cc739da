//! From what the user typed to a [`Config`], with the environment consulted.

use std::path::PathBuf;

use url::Url;

use super::environment::{Environment, setting};
use super::flags::Flags;
use super::headers;
use super::typed::Typed;
use super::{Misuse, desktop, network, server, sign_in, state_dir};
use crate::config::{
    Caller, Config, McpRemote, Protocol, TokenStore, TransportChoice, Verbosity, Way,
};

/// Validates the command line; the warnings are for stderr.
pub(super) fn resolve(
    typed: Typed,
    environment: &dyn Environment,
) -> Result<(Config, Vec<String>), Misuse> {
    let Typed { flags, headers: sources, mut warnings, .. } = typed;
    if flags.server.is_empty() {
        return Err(Misuse::new("no server is given, expected a URL or an organisation's slug")
            .hint("usage: apexmcp-bridge [OPTIONS] <SERVER> [PORT]; `--help` says more"));
    }
    let (server, server_text) = server::address(&flags.server, flags.allow_http)?;
    let templates = headers::read(&sources, environment, &mut warnings)?;
    let headers = headers::expand(&templates, environment, &mut warnings)?;
    headers::warn_of_literals(&templates, &mut warnings);
    let login = sign_in::options(&flags, &server_text, &templates, environment, &mut warnings)?;
    let network = network::options(&flags, environment, &mut warnings)?;
    let (state_dir, token_store) = place(&flags, environment)?;
    let config = Config {
        transport: transport(&flags, &server, &mut warnings),
        protocol: protocol(&flags, &mut warnings),
        access: headers::access(&headers),
        caller: Caller::Host,
        desktop: !desktop::look(environment).headless,
        store_key: sign_in::store_key(&server_text, &login, &templates),
        mcp_remote: mcp_remote(
            environment,
            sign_in::legacy_name(&flags, &server_text, &login, &templates),
            &mut warnings,
        ),
        verbosity: verbosity(&flags),
        network,
        liveness: network::liveness(&flags, &mut warnings),
        hidden_tools: flags.ignore_tool.clone(),
        state_dir,
        token_store: match login.way {
            // A machine can ask again at any time, so there is nothing to keep.
            Way::Client { .. } => TokenStore::Memory,
            Way::Browser | Way::Device => token_store,
        },
        login,
        server,
        server_text,
        headers,
    };
    Ok((config, warnings))
}

/// Where sign-ins are kept.
pub(super) fn place(
    flags: &Flags,
    environment: &dyn Environment,
) -> Result<(Option<PathBuf>, TokenStore), Misuse> {
    Ok((state_dir(environment)?, token_store(flags, environment)?))
}

fn transport(flags: &Flags, server: &Url, warnings: &mut Vec<String>) -> TransportChoice {
    match flags.transport.as_deref() {
        None => server::default_transport(server),
        Some("http-first") => TransportChoice::HttpFirst,
        Some("http-only") => TransportChoice::HttpOnly,
        Some("sse-first") => TransportChoice::SseFirst,
        Some("sse-only") => TransportChoice::SseOnly,
        Some(_) => {
            warnings.push(ignored(
                "`--transport`",
                "`http-first`, `sse-first`, `http-only` or `sse-only`",
            ));
            server::default_transport(server)
        }
    }
}

fn protocol(flags: &Flags, warnings: &mut Vec<String>) -> Protocol {
    match flags.protocol.as_deref() {
        None | Some("auto") => Protocol::Auto,
        Some("legacy") => Protocol::Legacy,
        Some("modern") => Protocol::Modern,
        Some(_) => {
            warnings.push(ignored("`--protocol`", "`auto`, `legacy` or `modern`"));
            Protocol::Auto
        }
    }
}

fn verbosity(flags: &Flags) -> Verbosity {
    match (flags.debug, flags.silent) {
        (true, _) => Verbosity::Debug,
        (false, true) => Verbosity::Silent,
        (false, false) => Verbosity::Normal,
    }
}

pub(super) fn state_dir(environment: &dyn Environment) -> Result<Option<PathBuf>, Misuse> {
    let path = setting(environment, "APEXMCP_BRIDGE_STATE_DIR").map(PathBuf::from);
    // MCP clients start programs in any folder.
    if path.as_ref().is_some_and(|path| !path.is_absolute()) {
        return Err(Misuse::new("`APEXMCP_BRIDGE_STATE_DIR` is not an absolute path"));
    }
    Ok(path.or_else(|| state_dir::default(environment)))
}

fn mcp_remote(
    environment: &dyn Environment,
    name: String,
    warnings: &mut Vec<String>,
) -> Option<McpRemote> {
    const VARIABLE: &str = "MCP_REMOTE_CONFIG_DIR";
    let named = setting(environment, VARIABLE).map(PathBuf::from);
    // Where it was relative to is not known here.
    if named.as_ref().is_some_and(|path| !path.is_absolute()) {
        warnings.push(format!(
            "`{VARIABLE}` is not an absolute path; nothing will be imported from there"
        ));
        return None;
    }
    let dir = named.or_else(|| state_dir::mcp_remote(environment))?;
    Some(McpRemote { dir, name })
}

fn token_store(flags: &Flags, environment: &dyn Environment) -> Result<TokenStore, Misuse> {
    const VARIABLE: &str = "APEXMCP_BRIDGE_TOKEN_STORE";
    let (name, value) = match &flags.token_store {
        Some(value) => ("--token-store", value.clone()),
        None => match text(environment, VARIABLE)? {
            Some(value) => (VARIABLE, value),
            None => return Ok(TokenStore::Keychain),
        },
    };
    match value.trim() {
        "keychain" | "keyring" => Ok(TokenStore::Keychain),
        "file" => Ok(TokenStore::File),
        "memory" => Ok(TokenStore::Memory),
        // Not a warning: tokens would be kept where the user did not want them.
        _ => Err(Misuse::new(format!("`{name}` is not `keychain`, `file` or `memory`"))),
    }
}

pub(super) fn text(environment: &dyn Environment, name: &str) -> Result<Option<String>, Misuse> {
    let not_text = |_| Misuse::new(format!("`{name}` is not valid UTF-8"));
    setting(environment, name).map(|value| value.into_string().map_err(not_text)).transpose()
}

pub(super) fn ignored(what: &str, expected: &str) -> String {
    format!("{what} is ignored, expected {expected}")
}
