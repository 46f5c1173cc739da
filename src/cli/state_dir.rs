//! Where the sign-ins are kept when the user names no place, ours and those of mcp-remote. On macOS
//! and Windows never run.

use std::ffi::OsString;
use std::path::PathBuf;

use super::environment::Environment;

/// The directory; `None` if the environment does not say where this user's files are. Then
/// nothing outlives the process.
pub(super) fn default(environment: &dyn Environment) -> Option<PathBuf> {
    let var = |name: &str| environment.var(name).filter(|value| !value.is_empty());
    let base = imp::base(&var).filter(|path| path.is_absolute())?;
    Some(base.join("apexmcp-bridge"))
}

/// The directory that mcp-remote uses.
pub(super) fn mcp_remote(environment: &dyn Environment) -> Option<PathBuf> {
    // What `os.homedir()` reads.
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let home = environment.var(home).filter(|value| !value.is_empty()).map(PathBuf::from);
    home.filter(|path| path.is_absolute()).map(|home| home.join(".mcp-auth"))
}

type Var<'a> = &'a dyn Fn(&str) -> Option<OsString>;

#[cfg(target_os = "macos")]
mod imp {
    use super::{PathBuf, Var};

    pub(super) fn base(var: Var<'_>) -> Option<PathBuf> {
        Some(PathBuf::from(var("HOME")?).join("Library").join("Application Support"))
    }
}

#[cfg(windows)]
mod imp {
    use super::{PathBuf, Var};

    pub(super) fn base(var: Var<'_>) -> Option<PathBuf> {
        Some(PathBuf::from(var("LOCALAPPDATA")?))
    }
}

#[cfg(not(any(windows, target_os = "macos")))]
mod imp {
    use super::{PathBuf, Var};

    /// The XDG base directory specification, which ignores relative paths.
    pub(super) fn base(var: Var<'_>) -> Option<PathBuf> {
        let named = var("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| Some(PathBuf::from(var("HOME")?).join(".local").join("state")))
    }
}
