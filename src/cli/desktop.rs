//! Whether there is a display to open a browser on.
//!
//! Many hosts start their servers with five variables and leave out those that lead to the
//! person's desktop. On Linux the sockets of a desktop have fixed places, so what is missing is
//! found again and given to the browser. (`zbus`, which talks to the keychain, does the same.)

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::Environment;

/// What is known of the desktop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Desktop {
    /// Whether there is none.
    pub(super) headless: bool,
    /// The variables that a browser needs and this process does not have.
    pub(super) missing: Vec<(String, OsString)>,
}

/// Looks for the desktop. Somebody who is connected from elsewhere sits in front of another one.
pub(super) fn look(environment: &dyn Environment) -> Desktop {
    let is_set = |name: &str| environment.var(name).is_some_and(|value| !value.is_empty());
    let remote = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].iter().any(|name| is_set(name));
    if !imp::HAS_SOCKETS {
        return Desktop { headless: remote, missing: Vec::new() };
    }
    let has_display = || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    // On Windows' Linux the browser is that of Windows.
    if has_display() || is_set("BROWSER") || is_set("WSL_DISTRO_NAME") {
        return Desktop { headless: false, missing: Vec::new() };
    }
    if remote {
        return Desktop { headless: true, missing: Vec::new() };
    }
    let missing = found(environment);
    let display = |(name, _): &(String, OsString)| name.ends_with("DISPLAY");
    Desktop { headless: !missing.iter().any(display), missing }
}

/// What the sockets of this user's session say.
fn found(environment: &dyn Environment) -> Vec<(String, OsString)> {
    let mut found = Vec::new();
    let var = |name: &str| environment.var(name).filter(|value| !value.is_empty());
    let named = var("XDG_RUNTIME_DIR").map(PathBuf::from);
    let Some(dir) = named
        .clone()
        .or_else(|| Some(PathBuf::from(format!("/run/user/{}", environment.user_id()?))))
    else {
        return found;
    };
    let sockets = environment.names(&dir);
    if sockets.is_empty() {
        return found;
    }
    let mut add = |name: &str, value: OsString| found.push((name.to_owned(), value));
    if named.is_none() {
        add("XDG_RUNTIME_DIR", dir.clone().into());
    }
    if var("DBUS_SESSION_BUS_ADDRESS").is_none() && sockets.iter().any(|name| name == "bus") {
        let mut address = OsString::from("unix:path=");
        address.push(dir.join("bus"));
        add("DBUS_SESSION_BUS_ADDRESS", address);
    }
    let numbered = |name: &str, prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let first = |names: &[String], prefix: &str| {
        names.iter().filter(|name| numbered(name, prefix)).min().cloned()
    };
    if let Some(socket) = first(&sockets, "wayland-") {
        add("WAYLAND_DISPLAY", socket.into());
    }
    if let Some(socket) = first(&environment.names(Path::new("/tmp/.X11-unix")), "X") {
        add("DISPLAY", format!(":{}", socket.trim_start_matches('X')).into());
        let key = sockets.iter().find(|name| name.starts_with(".mutter-Xwaylandauth."));
        if let (None, Some(key)) = (var("XAUTHORITY"), key) {
            add("XAUTHORITY", dir.join(key).into());
        }
    }
    found
}

#[cfg(all(unix, not(target_os = "macos")))]
mod imp {
    pub(super) const HAS_SOCKETS: bool = true;
}

/// The browser is opened by the system, which knows the desktop. Never run there.
#[cfg(not(all(unix, not(target_os = "macos"))))]
mod imp {
    pub(super) const HAS_SOCKETS: bool = false;
}
