//! The directories in which MCP hosts keep their files, as the environment has them.

use std::path::PathBuf;

use super::environment::Environment;
use crate::install::{Places, System};

/// What the environment says; relative paths say nothing.
pub(super) fn places(environment: &dyn Environment) -> Places {
    let path = |name: &str| {
        let value = environment.var(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    Places {
        system: SYSTEM,
        home: path(if cfg!(windows) { "USERPROFILE" } else { "HOME" }),
        config: path("XDG_CONFIG_HOME"),
        flatpak_config: path("FLATPAK_XDG_CONFIG_HOME"),
        roaming: path("APPDATA"),
        local: path("LOCALAPPDATA"),
        codex: path("CODEX_HOME"),
        claude_code: path("CLAUDE_CONFIG_DIR"),
    }
}

const SYSTEM: System = if cfg!(windows) {
    System::Windows
} else if cfg!(target_os = "macos") {
    System::Mac
} else {
    System::Linux
};
