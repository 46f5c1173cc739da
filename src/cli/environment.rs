//! The environment as an argument: variables and files.

use std::ffi::OsString;
use std::path::Path;
use std::{env, fs, io};

/// Where variables and header files come from.
pub trait Environment {
    /// The value of a variable, if it is set.
    fn var(&self, name: &str) -> Option<OsString>;
    /// The text of a file, which must be UTF-8.
    fn read_file(&self, path: &Path) -> io::Result<String>;
    /// The names in a directory; none where it cannot be read.
    fn names(&self, dir: &Path) -> Vec<String>;
    /// The number of this user, where users have numbers.
    fn user_id(&self) -> Option<u32>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
    fn var(&self, name: &str) -> Option<OsString> {
        // `env::var_os` may panic on these, and `${…}` lets the user choose the name.
        if name.is_empty() || name.contains(['=', '\0']) { None } else { env::var_os(name) }
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn names(&self, dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn user_id(&self) -> Option<u32> {
        user::id()
    }
}

#[cfg(unix)]
mod user {
    #[expect(clippy::unnecessary_wraps, reason = "one signature for every system")]
    pub(super) fn id() -> Option<u32> {
        Some(rustix::process::getuid().as_raw())
    }
}

#[cfg(not(unix))]
mod user {
    pub(super) fn id() -> Option<u32> {
        None
    }
}

/// A variable that holds a setting; `None` if it is empty or was never filled in.
pub(super) fn setting(environment: &dyn Environment, name: &str) -> Option<OsString> {
    environment.var(name).filter(|value| value.to_str().is_none_or(is_set))
}

/// False for the two ways in which an MCP bundle passes a setting that its user left out: empty,
/// or as the placeholder itself.
pub(super) fn is_set(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains("${user_config.")
}
