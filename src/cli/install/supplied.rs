//! The environment that a host will give to this program, as far as it is known now.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::cli::environment::Environment;
use crate::secret::Secret;

/// This environment, the variables that will be written, and a filler for those that the command
/// line refers to and nobody has set here.
pub(super) struct Supplied<'a> {
    base: &'a dyn Environment,
    env: &'a [(String, Secret)],
    missing: BTreeSet<String>,
}

impl<'a> Supplied<'a> {
    pub(super) fn new(
        base: &'a dyn Environment,
        env: &'a [(String, Secret)],
        args: &[String],
    ) -> Self {
        let names = args.iter().flat_map(|arg| arg.split("${").skip(1));
        let names = names.filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
        let missing = names
            .filter(|name| base.var(name).is_none_or(|value| value.is_empty()))
            .filter(|name| !env.iter().any(|(known, _)| known == name))
            .map(str::to_owned)
            .collect();
        Self { base, env, missing }
    }

    pub(super) fn missing(&self) -> Vec<String> {
        self.missing.iter().cloned().collect()
    }
}

impl Environment for Supplied<'_> {
    fn var(&self, name: &str) -> Option<OsString> {
        if let Some((_, value)) = self.env.iter().find(|(known, _)| known == name) {
            return Some(value.expose().into());
        }
        if self.missing.contains(name) { Some("unknown".into()) } else { self.base.var(name) }
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.base.read_file(path)
    }

    fn names(&self, dir: &Path) -> Vec<String> {
        self.base.names(dir)
    }

    fn user_id(&self) -> Option<u32> {
        self.base.user_id()
    }
}
