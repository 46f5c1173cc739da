//! The verbs that work on the files of MCP hosts.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::places::places;
use super::typed::Typed;
use super::{Invocation, Misuse, flags, headers, help, resolve, typed, words};
use crate::install::{self, HOSTS, Host, Places, host, is_sensitive};
use crate::secret::Secret;

mod supplied;

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

/// Whether the word is one of these verbs.
pub(super) fn is_verb(text: &str) -> bool {
    VERBS.iter().any(|verb| verb.name == text)
}

fn install(given: &Given, environment: &dyn Environment) -> Result<Invocation, Misuse> {
    let (hosts, rest) = given.hosts()?;
    if hosts.is_empty() && !given.has("--detected") {
        return Err(Misuse::new("no MCP client is given, and not `--detected` either")
            .hint(format!("usage: {USAGE}; the clients are {}", host_names())));
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
        return Err(Misuse::new("more than a server and a port follow the MCP clients")
            .hint(format!("the clients are {}", host_names())));
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

/// The arguments behind the verb.
struct Given {
    verb: &'static Verb,
    switches: BTreeSet<&'static str>,
    values: Vec<(&'static str, String)>,
    /// Everything else, in order.
    words: Vec<String>,
}

enum Read {
    Print(String),
    Given(Given),
}

impl Given {
    fn read(verb: &'static Verb, args: &[OsString]) -> Result<Read, Misuse> {
        let mut given =
            Self { verb, switches: BTreeSet::new(), values: Vec::new(), words: Vec::new() };
        let mut rest = args.iter().enumerate();
        while let Some((index, arg)) = rest.next() {
            let Some(arg) = arg.to_str() else {
                return Err(Misuse::new(format!("argument {} is not valid UTF-8", index + 2)));
            };
            if arg == "--help" || arg == "-h" {
                return Ok(Read::Print(format!("{}\n{}", verb.help, help::SEE_ALSO)));
            }
            if arg == "--version" || arg == "-V" {
                return Ok(Read::Print(flags::version()));
            }
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg, None),
            };
            if let Some(flag) = verb.switches.iter().find(|flag| **flag == arg) {
                given.switches.insert(flag);
            } else if let Some(flag) = verb.valued.iter().find(|flag| **flag == name) {
                let next = || rest.next().and_then(|(_, value)| value.to_str().map(str::to_owned));
                let value = inline.or_else(next).filter(|value| !value.is_empty());
                let missing = || Misuse::new(format!("`{flag}` needs a value"));
                given.values.push((flag, value.ok_or_else(missing)?));
            } else {
                given.words.push(arg.to_owned());
            }
        }
        Ok(Read::Given(given))
    }

    fn has(&self, switch: &str) -> bool {
        self.switches.contains(switch)
    }

    fn value(&self, flag: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }

    /// The hosts, which come first, and what follows them.
    fn hosts(&self) -> Result<(Vec<&'static Host>, Vec<String>), Misuse> {
        let hosts: Vec<_> = self.words.iter().map_while(|word| host(word)).collect();
        let rest = self.words.iter().skip(hosts.len()).cloned().collect();
        if !hosts.is_empty() && self.has("--detected") {
            return Err(Misuse::new(
                "`--detected` and the names of MCP clients do not go together",
            ));
        }
        Ok((hosts, rest))
    }

    fn only_hosts(&self) -> Result<Vec<&'static Host>, Misuse> {
        let (hosts, rest) = self.hosts()?;
        match rest.first() {
            None => Ok(hosts),
            Some(word) if word.starts_with('-') => Err(self.unknown(word)),
            Some(_) => Err(Misuse::new("an argument is not the name of an MCP client")
                .hint(format!("the clients are {}", host_names()))),
        }
    }

    fn unknown(&self, flag: &str) -> Misuse {
        let verb = self.verb.name;
        // Something else than a flag could be a credential.
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
        let shown = flag.starts_with("--") && flag.len() <= 40 && flag.chars().all(is_plain);
        Misuse::new(format!("`{verb}` has no flag `{}`", if shown { flag } else { "-…" }))
            .hint(format!("`apexmcp-bridge {verb} --help` lists them"))
    }

    fn target(
        &self,
        hosts: Option<Vec<&'static Host>>,
        environment: &dyn Environment,
    ) -> Result<Target, Misuse> {
        Ok(Target {
            hosts,
            places: places(environment),
            state_dir: resolve::state_dir(environment)?,
            dry_run: self.has("--dry-run"),
            backup: !self.has("--no-backup"),
            force: self.has("--force"),
        })
    }

    /// The variables to write. A credential is written only where somebody asks for just that.
    fn env(
        &self,
        environment: &dyn Environment,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<(String, Secret)>, Misuse> {
        let mut env: Vec<(String, Secret)> = Vec::new();
        let writes_key = self.has("--write-key");
        for (_, text) in self.values.iter().filter(|(flag, _)| *flag == "--env") {
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (text.as_str(), value_of(environment, text)?),
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(Misuse::new("an `--env` names no variable, expected `NAME=VALUE`"));
            }
            if is_sensitive(name) && !writes_key {
                return Err(Misuse::new(format!("`{name}` would be written into a file")).hint(
                    "add `--write-key` if that is what you want; it is safer to set it where the \
                     MCP client is started",
                ));
            }
            env.push((name.to_owned(), Secret::new(value)));
        }
        let is_there = env.iter().any(|(name, _)| name == API_KEY);
        let key = value_of(environment, API_KEY).ok().filter(|_| !is_there);
        match key {
            Some(key) if writes_key => env.push((API_KEY.to_owned(), Secret::new(key))),
            Some(_) => warnings.push(format!(
                "the key in `{API_KEY}` is not written into any file: the MCP client must pass it \
                 on, or you sign in with a browser; `--write-key` writes it"
            )),
            None if writes_key && !env.iter().any(|(name, _)| is_sensitive(name)) => {
                return Err(Misuse::new(format!(
                    "there is no key to write: `{API_KEY}` is not set, and no `--env` names one"
                )));
            }
            None => {}
        }
        Ok(env)
    }
}

fn value_of(environment: &dyn Environment, name: &str) -> Result<String, Misuse> {
    let value = resolve::text(environment, name)?;
    value.ok_or_else(|| Misuse::new(format!("the environment variable `{name}` is not set")))
}

fn host_names() -> String {
    HOSTS.iter().map(|host| host.id).collect::<Vec<_>>().join(", ")
}

struct Verb {
    name: &'static str,
    switches: &'static [&'static str],
    valued: &'static [&'static str],
    help: &'static str,
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
const API_KEY: &str = "APEXMCP_API_KEY";
