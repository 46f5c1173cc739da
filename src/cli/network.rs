//! What the flags and the environment say about the network.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Misuse;
use super::environment::{Environment, setting};
use super::flags::Flags;
use super::resolve::ignored;
use crate::config::{Liveness, Network, Ping};
use crate::edge::tls;
use crate::secret::Secret;

/// Validates everything about the network.
pub(super) fn options(
    flags: &Flags,
    environment: &dyn Environment,
    warnings: &mut Vec<String>,
) -> Result<Network, Misuse> {
    let default = Network::default();
    let identity = match &flags.client_cert {
        Some(path) => Some(identity(path, environment)?),
        None => None,
    };
    let mut seconds =
        |flag: &str, value: Option<&String>, zero| seconds(flag, value, zero, warnings);
    let connect = seconds("--connect-timeout", flags.connect_timeout.as_ref(), false);
    let headers = seconds("--headers-timeout", flags.headers_timeout.as_ref(), true);
    let body = seconds("--body-timeout", flags.body_timeout.as_ref(), true);
    // Zero is no limit at all.
    let some = |limit: Duration| (!limit.is_zero()).then_some(limit);
    Ok(Network {
        proxy: !flags.no_proxy,
        authorities: authorities(flags, environment, warnings)?,
        identity,
        ipv4_only: flags.ipv4,
        cookies: !flags.disable_cookies,
        connect_limit: connect.unwrap_or(default.connect_limit),
        head_limit: headers.map_or(default.head_limit, some),
        pause_limit: body.map_or(default.pause_limit, some),
    })
}

/// Validates how long the gateway may be silent.
pub(super) fn liveness(flags: &Flags, warnings: &mut Vec<String>) -> Liveness {
    let interval = seconds("--ping-interval", flags.ping_interval.as_ref(), true, warnings);
    let limit = seconds("--request-timeout", flags.request_timeout.as_ref(), true, warnings);
    let ping = match interval {
        Some(Duration::ZERO) => Ping::Never,
        Some(interval) => Ping::Every(interval.max(SHORTEST_INTERVAL)),
        None if flags.keep_alive => Ping::Every(INTERVAL),
        None => Ping::WhenSilent,
    };
    let default = Liveness::default().request_limit;
    Liveness { ping, request_limit: limit.map_or(default, |it| (!it.is_zero()).then_some(it)) }
}

fn seconds(
    flag: &str,
    value: Option<&String>,
    zero: bool,
    warnings: &mut Vec<String>,
) -> Option<Duration> {
    let limit = value?
        .parse::<f64>()
        .ok()
        .filter(|limit| (0.0..=LONGEST_LIMIT).contains(limit) && (zero || 0.0 < *limit));
    if limit.is_none() {
        let least = if zero { "0 or more" } else { "more than 0" };
        warnings.push(ignored(&format!("`{flag}`"), &format!("a number of seconds, {least}")));
    }
    limit.map(Duration::from_secs_f64)
}

/// The certificates that are trusted besides the system's own.
fn authorities(
    flags: &Flags,
    environment: &dyn Environment,
    warnings: &mut Vec<String>,
) -> Result<Vec<String>, Misuse> {
    let mut all = Vec::new();
    for path in &flags.ca_cert {
        let pem = read("--ca-cert", path, environment)?;
        tls::check_authorities(&pem)
            .map_err(|reason| Misuse::new(format!("`--ca-cert`: `{}` {reason}", path.display())))?;
        all.push(pem);
    }
    for name in VARIABLES {
        let Some(path) = setting(environment, name).map(PathBuf::from) else { continue };
        // As in the programs that these variables come from, they stop nothing.
        match environment.read_file(&path) {
            Ok(pem) => match tls::check_authorities(&pem) {
                Ok(()) => all.push(pem),
                Err(reason) => {
                    warnings.push(format!("`{name}` is ignored: `{}` {reason}", path.display()));
                }
            },
            Err(error) => {
                warnings.push(format!("`{name}` is ignored: `{}`: {error}", path.display()));
            }
        }
    }
    Ok(all)
}

fn identity(path: &Path, environment: &dyn Environment) -> Result<Secret, Misuse> {
    let pem = read("--client-cert", path, environment)?;
    tls::check_identity(&pem)
        .map_err(|reason| Misuse::new(format!("`--client-cert`: `{}` {reason}", path.display())))?;
    Ok(Secret::new(pem))
}

fn read(flag: &str, path: &Path, environment: &dyn Environment) -> Result<String, Misuse> {
    environment.read_file(path).map_err(|error| {
        let misuse = Misuse::new(format!("`{flag}`: cannot read `{}`: {error}", path.display()));
        if path.is_absolute() {
            return misuse;
        }
        misuse.hint("give the whole path: MCP clients start programs in any folder")
    })
}

/// Between two pings, where no interval is given: the same as in mcp-remote.
const INTERVAL: Duration = Duration::from_secs(30);
/// More often it would be a flood.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A day: whoever wants more wants no limit.
const LONGEST_LIMIT: f64 = 86_400.0;

/// What people have set for other programs. On Linux the system's own loader reads `SSL_CERT_FILE`.
#[cfg(all(unix, not(target_os = "macos")))]
const VARIABLES: &[&str] = &["NODE_EXTRA_CA_CERTS"];
#[cfg(not(all(unix, not(target_os = "macos"))))]
const VARIABLES: &[&str] = &["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];
