//! From what the user typed to a [`Config`], with the environment consulted.

use std::path::PathBuf;

use url::Url;

use super::environment::{Environment, setting};
use super::flags::Flags;
use super::headers::{self, Template};
use super::legacy::Identity;
use super::state_dir;
use super::typed::Typed;
use super::{Misuse, server};
use crate::config::{Config, LoginOptions, TokenStore, TransportChoice, Verbosity};

/// Validates the command line; the warnings are for stderr.
pub(super) fn resolve(
    typed: Typed,
    environment: &dyn Environment,
) -> Result<(Config, Vec<String>), Misuse> {
    let Typed { flags, headers: sources, mut warnings } = typed;
    if flags.server.is_empty() {
        return Err(Misuse::new("no server is given, expected a URL or an organization's slug")
            .hint("usage: apexmcp-bridge [OPTIONS] <SERVER> [PORT]; `--help` says more"));
    }
    let (server, server_text) = server::address(&flags.server, flags.allow_http)?;
    let templates = headers::read(&sources, environment, &mut warnings)?;
    let headers = headers::expand(&templates, environment, &mut warnings)?;
    headers::warn_of_literals(&templates, &mut warnings);
    let config = Config {
        transport: transport(&flags, &server, &mut warnings),
        access: headers::access(&headers),
        login: login(&flags, &server_text, &templates, environment, &mut warnings)?,
        verbosity: verbosity(&flags),
        state_dir: state_dir(environment)?,
        token_store: token_store(&flags, environment)?,
        server,
        server_text,
        headers,
    };
    Ok((config, warnings))
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

fn login(
    flags: &Flags,
    server_text: &str,
    templates: &[Template],
    environment: &dyn Environment,
    warnings: &mut Vec<String>,
) -> Result<LoginOptions, Misuse> {
    let resource = flags.resource.as_deref().map(str::trim);
    if resource.is_some_and(|uri| !Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none())) {
        // RFC 8707 2.
        return Err(Misuse::new("`--resource` is not an absolute URI without a fragment"));
    }
    // As in mcp-remote, where both are given.
    let resource = resource.filter(|_| !flags.disable_resource_parameter);
    let preferred_port = identity(flags, server_text, resource, templates).port();
    let mut valid = |flag, value: Option<&String>, expected, is_valid: fn(&str) -> bool| {
        let value = value?;
        if is_valid(value) {
            return Some(value.clone());
        }
        warnings.push(ignored(flag, expected));
        None
    };
    let port = valid("the port", flags.port.as_ref(), "a number from 1 to 65535", |text| {
        text.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let host = valid("`--host`", flags.host.as_ref(), "a host name", is_host);
    let path = valid("`--callback-path`", flags.callback_path.as_ref(), "`/` and a path", is_path);
    let timeout =
        valid("`--auth-timeout`", flags.auth_timeout.as_ref(), "1 to 86400 seconds", |text| {
            text.parse().is_ok_and(|seconds| (1..=LONGEST_SIGN_IN).contains(&seconds))
        });
    Ok(LoginOptions {
        port: port.and_then(|text| text.parse().ok()),
        preferred_port,
        redirect_host: host.unwrap_or_else(|| DEFAULT_HOST.to_owned()),
        callback_path: path.unwrap_or_else(|| DEFAULT_PATH.to_owned()),
        timeout_seconds: timeout.and_then(|text| text.parse().ok()).unwrap_or(SIGN_IN),
        resource: resource.map(str::to_owned),
        browser: text(environment, "APEXMCP_BRIDGE_BROWSER")?,
    })
}

fn identity<'a>(
    flags: &'a Flags,
    server: &'a str,
    resource: Option<&'a str>,
    templates: &'a [Template],
) -> Identity<'a> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let headers = templates.iter().filter(|template| template.name.chars().all(plain));
    let endpoint = flags.token_endpoint.as_deref().and_then(|text| Url::parse(text).ok());
    Identity {
        server,
        resource,
        authorize_params: flags.authorize_param.iter().filter_map(|t| t.split_once('=')).collect(),
        headers: headers.map(|template| (&*template.name, &*template.text)).collect(),
        client_metadata_url: flags.client_metadata_url.as_deref().filter(|text| {
            Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.path() != "/")
        }),
        token_endpoint: endpoint.map(String::from),
    }
}

fn verbosity(flags: &Flags) -> Verbosity {
    match (flags.debug, flags.silent) {
        (true, _) => Verbosity::Debug,
        (false, true) => Verbosity::Silent,
        (false, false) => Verbosity::Normal,
    }
}

fn state_dir(environment: &dyn Environment) -> Result<Option<PathBuf>, Misuse> {
    let path = setting(environment, "APEXMCP_BRIDGE_STATE_DIR").map(PathBuf::from);
    // MCP clients start programs in any folder.
    if path.as_ref().is_some_and(|path| !path.is_absolute()) {
        return Err(Misuse::new("`APEXMCP_BRIDGE_STATE_DIR` is not an absolute path"));
    }
    Ok(path.or_else(|| state_dir::default(environment)))
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

fn text(environment: &dyn Environment, name: &str) -> Result<Option<String>, Misuse> {
    let not_text = |_| Misuse::new(format!("`{name}` is not valid UTF-8"));
    setting(environment, name).map(|value| value.into_string().map_err(not_text)).transpose()
}

fn ignored(what: &str, expected: &str) -> String {
    format!("{what} is ignored, expected {expected}")
}

/// A host name or address that is the whole authority of a URL.
fn is_host(text: &str) -> bool {
    Url::parse(&format!("http://{text}:1/")).is_ok_and(|url| {
        url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(text)) && url.port() == Some(1)
    })
}

/// A path that a URL leaves as it is.
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && Url::parse(&format!("http://localhost{text}"))
            .is_ok_and(|url| url.path() == text && url.query().is_none())
}

/// Time to find a password manager and a second factor. mcp-remote waits without end.
const SIGN_IN: u64 = 300;
/// Nobody signs in for longer than a day.
const LONGEST_SIGN_IN: u64 = 86_400;
const DEFAULT_PATH: &str = "/oauth/callback";
#[cfg(windows)]
pub(super) const DEFAULT_HOST: &str = "127.0.0.1";
#[cfg(not(windows))]
pub(super) const DEFAULT_HOST: &str = "localhost";
