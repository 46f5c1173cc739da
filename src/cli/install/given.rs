//! The arguments behind one of these verbs.

use std::collections::BTreeSet;
use std::ffi::OsString;

use super::Target;
use crate::cli::environment::Environment;
use crate::cli::places::places;
use crate::cli::{Misuse, flags, help, resolve, words};
use crate::install::{HOSTS, Host, host, is_sensitive};
use crate::secret::Secret;

/// A verb, and what flags of its own it has.
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) switches: &'static [&'static str],
    pub(super) valued: &'static [&'static str],
    pub(super) help: &'static str,
}

/// The arguments, sorted.
pub(super) struct Given {
    verb: &'static Verb,
    switches: BTreeSet<&'static str>,
    values: Vec<(&'static str, String)>,
    /// Everything else, in order.
    pub(super) words: Vec<String>,
}

/// What they come to.
pub(super) enum Read {
    Print(String),
    Given(Given),
}

impl Given {
    pub(super) fn read(verb: &'static Verb, args: &[OsString]) -> Result<Read, Misuse> {
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

    pub(super) fn has(&self, switch: &str) -> bool {
        self.switches.contains(switch)
    }

    pub(super) fn value(&self, flag: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == flag).map(|(_, value)| value.as_str())
    }

    /// The hosts, which come first, and what follows them.
    pub(super) fn hosts(&self) -> Result<(Vec<&'static Host>, Vec<String>), Misuse> {
        let hosts: Vec<_> = self.words.iter().map_while(|word| host(word)).collect();
        let rest = self.words.iter().skip(hosts.len()).cloned().collect();
        if !hosts.is_empty() && self.has("--detected") {
            return Err(Misuse::new(
                "`--detected` and the names of MCP clients do not go together",
            ));
        }
        Ok((hosts, rest))
    }

    pub(super) fn only_hosts(&self) -> Result<Vec<&'static Host>, Misuse> {
        let (hosts, rest) = self.hosts()?;
        match rest.first() {
            None => Ok(hosts),
            Some(word) if word.starts_with('-') => Err(self.unknown(word)),
            Some(word) => {
                let error = Misuse::new("an argument is not the name of an MCP client");
                let hint = meant(Some(word));
                Err(error.hint(hint.unwrap_or_else(|| format!("the clients are {}", host_names()))))
            }
        }
    }

    pub(super) fn unknown(&self, flag: &str) -> Misuse {
        let verb = self.verb.name;
        // Something else than a flag could be a credential.
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
        let shown = flag.starts_with("--") && flag.len() <= 40 && flag.chars().all(is_plain);
        Misuse::new(format!("`{verb}` has no flag `{}`", if shown { flag } else { "-…" })).hint(
            match self.similar_flag(flag) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("`apexmcp-bridge {verb} --help` lists them"),
            },
        )
    }

    pub(super) fn similar_flag(&self, flag: &str) -> Option<&'static str> {
        let flags = || self.verb.switches.iter().chain(self.verb.valued).copied();
        let name = words::similar(
            flag.strip_prefix("--")?,
            flags().filter_map(|flag| flag.strip_prefix("--")),
        )?;
        flags().find(|flag| flag.strip_prefix("--") == Some(name))
    }

    pub(super) fn target(
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
    pub(super) fn env(
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
            None => {}
        }
        Ok(env)
    }
}

fn value_of(environment: &dyn Environment, name: &str) -> Result<String, Misuse> {
    let value = resolve::text(environment, name)?;
    value.ok_or_else(|| Misuse::new(format!("the environment variable `{name}` is not set")))
}

/// The client of nearly that name. A short word is nearly many another one, and an organisation
/// may be called like that.
pub(super) fn mistyped(word: &str) -> Option<&'static str> {
    words::similar(word, HOSTS.iter().map(|host| host.id).filter(|id| 5 < id.len()))
}

/// For somebody who has typed this where the name of a client belongs.
pub(super) fn meant(word: Option<&String>) -> Option<String> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_', ' '], "");
    let word = word?;
    if let Some(name) = words::similar(word, HOSTS.iter().map(|host| host.id)) {
        return Some(format!("did you mean `{name}`?"));
    }
    let begins = |id: &&str| 2 < word.len() && plain(id).starts_with(&plain(word));
    let found: Vec<_> = HOSTS.iter().map(|host| host.id).filter(begins).collect();
    let found: Vec<_> = found.iter().map(|id| format!("`{id}`")).collect();
    (!found.is_empty()).then(|| format!("did you mean {}?", found.join(" or ")))
}

/// For people.
pub(super) fn host_names() -> String {
    HOSTS.iter().map(|host| host.id).collect::<Vec<_>>().join(", ")
}

pub(super) const API_KEY: &str = "APEXMCP_API_KEY";
