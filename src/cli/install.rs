//! The verbs that work on the files of MCP hosts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use url::Url;

use super::environment::Environment;
use super::places::places;
use super::typed::Typed;
use super::{Invocation, Misuse, headers, help, resolve, typed, words};
use crate::config::{AccessMode, Way};
use crate::install::{self, Host, Places, is_sensitive};
use crate::secret::Secret;

mod given;
mod supplied;

use given::{API_KEY, Given, Read, Verb, host_names};
use supplied::Supplied;

/// Which hosts, and how careful.
#[derive(Debug)]
pub struct Target {
    /// The hosts; `None`: all that are installed.
    pub hosts: Option<Vec<&'static Host>>,
    /// Where their files are.
    pub places: Places,
    /// Where it is remembered what was written.
    pub state_dir: Option<PathBuf>,
    /// Show what would be done, and do nothing.
    pub dry_run: bool,
    /// Whether the file is copied first.
    pub backup: bool,
    /// Whether what differs is replaced, or what is not ours removed.
    pub force: bool,
}

/// `install`.
#[derive(Debug)]
pub struct InstallRequest {
    /// Where to.
    pub target: Target,
    /// The name of the entry.
    pub name: String,
    /// What the host passes to this program.
    pub args: Vec<String>,
    /// Variables that the host sets.
    pub env: Vec<(String, Secret)>,
    /// Only print the entry.
    pub print: bool,
    /// `PATH`.
    pub search: Option<OsString>,
    /// Whether somebody has to sign in with a browser.
    pub signs_in: bool,
    /// What to say on stderr first.
    pub warnings: Vec<String>,
}

/// `install --migrate`.
#[derive(Debug)]
pub struct MigrateRequest {
    /// Where.
    pub target: Target,
    /// `PATH`.
    pub search: Option<OsString>,
}

/// `uninstall`.
#[derive(Debug)]
pub struct UninstallRequest {
    /// Where.
    pub target: Target,
    /// Only the entry of this name.
    pub name: Option<String>,
}

/// `clients`.
#[derive(Debug)]
pub struct ClientsRequest {
    /// Where their files are.
    pub places: Places,
    /// Where it is remembered what was written.
    pub state_dir: Option<PathBuf>,
    /// For programs.
    pub json: bool,
}

/// Reads the arguments, if they begin with one of these verbs.
pub(super) fn parse(
    args: &[OsString],
    environment: &dyn Environment,
) -> Option<Result<Invocation, Misuse>> {
    let (verb, rest) = args.split_first()?;
    let verb = VERBS.iter().find(|known| *verb == *known.name)?;
    Some(Given::read(verb, rest).and_then(|given| match given {
        Read::Print(text) => Ok(Invocation::Print(text)),
        Read::Given(given) => match verb.name {
            "install" if given.has("--migrate") => migrate(&given, environment),
            "install" => install(&given, environment),
            "uninstall" => uninstall(&given, environment),
            _ => clients(&given, environment),
        },
    }))
}

/// These verbs.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|verb| verb.name)
}

/// Whether the word is one of these verbs.
pub(super) fn is_verb(text: &str) -> bool {
    VERBS.iter().any(|verb| verb.name == text)
}

fn install(given: &Given, environment: &dyn Environment) -> Result<Invocation, Misuse> {
    let (hosts, rest) = given.hosts()?;
    if let Some(flag) = rest.first().filter(|word| given.similar_flag(word).is_some()) {
        return Err(given.unknown(flag));
    }
    if hosts.is_empty() && !given.has("--detected") {
        return Err(Misuse::new("no MCP client is given, and not `--detected` either").hint(
            given::meant(rest.first())
                .unwrap_or_else(|| format!("usage: {USAGE}; the clients are {}", host_names())),
        ));
    }
    // A server that is called nearly like a client is rather a client.
    if let Some(name) = rest.first().and_then(|word| given::mistyped(word)) {
        return Err(Misuse::new("an argument is nearly the name of an MCP client").hint(format!(
            "did you mean `{name}`? Write the URL of a server whose slug is like that"
        )));
    }
    if rest.first().is_none_or(|word| word.starts_with('-')) {
        return Err(Misuse::new(
            "no server is given after the MCP clients, expected a URL or a slug",
        )
        .hint(format!("usage: {USAGE}")));
    }
    let typed = typed::read(rest.iter().map(OsString::from).collect())?;
    if let Some(flag) = typed.unknown.first() {
        return Err(given.unknown(flag));
    }
    if typed.flags.port.as_ref().is_some_and(|port| !words::is_number(port)) {
        return Err(Misuse::new("more than a server and a port follow the MCP clients").hint(
            given::meant(rest.first())
                .unwrap_or_else(|| format!("the clients are {}", host_names())),
        ));
    }
    check_portable(&typed)?;
    let mut warnings = Vec::new();
    let env = given.env(environment, &mut warnings)?;
    let supplied = Supplied::new(environment, &env, &rest);
    check_literals(&typed, &supplied)?;
    warnings.extend(supplied.missing().into_iter().map(|name| {
        format!("`{name}` is not set here, and the MCP client must set it; or say `--env {name}`")
    }));
    // What is wrong with the command line should be said now, and not by the host one day.
    let (config, said) = resolve::resolve(typed, &supplied)?;
    warnings.extend(said);
    check_key(given, &config.server, &env)?;
    let name = match given.value("--name") {
        Some(name) if install::valid_name(name) => name.to_owned(),
        Some(_) => {
            return Err(Misuse::new(
                "`--name` is no name, expected at most 32 letters, digits, `-` and `_`",
            ));
        }
        None => install::suggested_name(&config.server),
    };
    let mut args = vec![config.server_text.clone()];
    args.extend(rest.into_iter().skip(1));
    let hosts = (!hosts.is_empty()).then_some(hosts);
    Ok(Invocation::Install(Box::new(InstallRequest {
        target: given.target(hosts, environment)?,
        name,
        args,
        env,
        print: given.has("--print"),
        search: environment.var("PATH"),
        signs_in: config.access == AccessMode::OAuth && matches!(config.login.way, Way::Browser),
        warnings,
    })))
}

fn migrate(given: &Given, environment: &dyn Environment) -> Result<Invocation, Misuse> {
    let hosts = given.only_hosts()?;
    for flag in ["--print", "--write-key", "--force"] {
        if given.has(flag) {
            return Err(Misuse::new(format!("`--migrate` and `{flag}` do not go together")));
        }
    }
    let hosts = (!hosts.is_empty()).then_some(hosts);
    let target = given.target(hosts, environment)?;
    Ok(Invocation::Migrate(MigrateRequest { target, search: environment.var("PATH") }))
}

fn uninstall(given: &Given, environment: &dyn Environment) -> Result<Invocation, Misuse> {
    let hosts = given.only_hosts()?;
    if hosts.is_empty() && !given.has("--all") {
        return Err(Misuse::new("no MCP client is given, and not `--all` either")
            .hint("`apexmcp-bridge clients` lists those that have an entry"));
    }
    let hosts = (!hosts.is_empty()).then_some(hosts);
    let target = given.target(hosts, environment)?;
    let name = given.value("--name").map(str::to_owned);
    Ok(Invocation::Uninstall(UninstallRequest { target, name }))
}

fn clients(given: &Given, environment: &dyn Environment) -> Result<Invocation, Misuse> {
    if let Some(word) = given.words.first() {
        return Err(given.unknown(word));
    }
    let state_dir = resolve::state_dir(environment)?;
    let json = given.has("--json");
    Ok(Invocation::Clients(ClientsRequest { places: places(environment), state_dir, json }))
}

/// A host starts this program in any folder.
fn check_portable(typed: &Typed) -> Result<(), Misuse> {
    let flags = &typed.flags;
    let files = flags.header_file.iter().chain(&flags.ca_cert).chain(&flags.client_cert);
    let files = files.chain(&flags.client_private_key).map(PathBuf::as_path);
    let named = [&flags.static_oauth_client_info, &flags.static_oauth_client_metadata];
    let named = named.into_iter().flatten().filter_map(|text| text.strip_prefix('@'));
    match files.chain(named.map(Path::new)).find(|path| !path.has_root()) {
        Some(path) => Err(Misuse::new(format!("`{}` is no absolute path", path.display()))
            .hint("MCP clients start programs in any folder")),
        None => Ok(()),
    }
}

/// What `--write-key` is for must be there, and a key in the address needs it too.
fn check_key(given: &Given, server: &Url, env: &[(String, Secret)]) -> Result<(), Misuse> {
    let is_in_address = server.query_pairs().any(|(name, _)| is_sensitive(&name));
    let is_in_env = env.iter().any(|(name, _)| is_sensitive(name));
    match (given.has("--write-key"), is_in_address, is_in_env) {
        (false, true, _) => {
            Err(Misuse::new("the key in the server's address would be written into a file")
                .hint("add `--write-key` if that is what you want"))
        }
        (true, false, false) => Err(Misuse::new(format!(
            "there is no key to write: `{API_KEY}` is not set, and no `--env` names one"
        ))),
        _ => Ok(()),
    }
}

/// Nobody's key gets into a file because it stood on the command line.
fn check_literals(typed: &Typed, environment: &dyn Environment) -> Result<(), Misuse> {
    let templates = headers::read(&typed.headers, environment, &mut Vec::new())?;
    if let Some(name) = headers::literal(&templates) {
        return Err(Misuse::new(format!("the value of `{name}` would be written into a file"))
            .hint(format!(
                "write `--header '{name}:${{KEY}}'` and set KEY where the MCP client is started; \
                 or add `--env KEY --write-key`"
            )));
    }
    let info = typed.flags.static_oauth_client_info.as_deref().unwrap_or_default();
    let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
    let secret = info.get("client_secret").and_then(serde_json::Value::as_str);
    if secret.is_some_and(|secret| !secret.contains("${")) {
        return Err(Misuse::new("the client secret would be written into a file")
            .hint("write `\"client_secret\":\"${SECRET}\"`, or `@` and the path of a file"));
    }
    Ok(())
}

const VERBS: &[Verb] = &[
    Verb {
        name: "install",
        switches: &[
            "--detected",
            "--dry-run",
            "--force",
            "--migrate",
            "--no-backup",
            "--print",
            "--write-key",
        ],
        valued: &["--env", "--name"],
        help: help::INSTALL,
    },
    Verb {
        name: "uninstall",
        switches: &["--all", "--dry-run", "--force", "--no-backup"],
        valued: &["--name"],
        help: help::UNINSTALL,
    },
    Verb { name: "clients", switches: &["--json"], valued: &[], help: help::CLIENTS },
];

const USAGE: &str = "apexmcp-bridge install [OPTIONS] <CLIENT>... <SERVER> [PORT]";
