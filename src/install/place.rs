//! Where a host's file is on this machine.

use std::path::{Path, PathBuf};

use super::host::Host;

/// An operating system, as far as paths go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// And everything else that follows the XDG base directories.
    Linux,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// A path that a host uses.
#[derive(Debug)]
pub struct Spot {
    /// On which systems.
    pub systems: &'static [System],
    /// Under what.
    pub base: Base,
    /// With `/` on every system.
    pub path: &'static str,
}

/// A directory of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The home directory.
    Home,
    /// `$XDG_CONFIG_HOME`, or `~/.config`; the latter on macOS.
    Config,
    /// The same, where Zed looks for it: inside of a Flatpak another variable wins.
    Zed,
    /// `~/Library/Application Support`.
    Support,
    /// `%APPDATA%`.
    Roaming,
    /// The folder of a packaged Windows application whose name begins so.
    Package(&'static str),
    /// `$CODEX_HOME`, or `~/.codex`.
    Codex,
    /// `$CLAUDE_CONFIG_DIR`, or the home directory.
    ClaudeCode,
}

/// The directories of this user; what the environment does not say is `None`.
#[derive(Clone, Debug)]
pub struct Places {
    /// The operating system.
    pub system: System,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub config: Option<PathBuf>,
    /// `$FLATPAK_XDG_CONFIG_HOME`.
    pub flatpak_config: Option<PathBuf>,
    /// `%APPDATA%`.
    pub roaming: Option<PathBuf>,
    /// `%LOCALAPPDATA%`.
    pub local: Option<PathBuf>,
    /// `$CODEX_HOME`.
    pub codex: Option<PathBuf>,
    /// `$CLAUDE_CONFIG_DIR`.
    pub claude_code: Option<PathBuf>,
}

/// What is on the disk.
pub trait Disk {
    /// Whether there is a file or a directory.
    fn exists(&self, path: &Path) -> bool;
    /// The names in a directory; none if there is none.
    fn names(&self, dir: &Path) -> Vec<String>;
}

/// Where a host's file is, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Whether the host seems to be installed.
    pub installed: bool,
}

/// More than one file could be the one that the host reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous(pub Vec<PathBuf>);

/// Finds the file of a host; `None` if the environment does not say where this user's files are.
pub fn locate(
    host: &Host,
    places: &Places,
    disk: &dyn Disk,
) -> Result<Option<Location>, Ambiguous> {
    if let Some(file) = packaged(host, places, disk)? {
        return Ok(Some(Location { file, installed: true }));
    }
    let spots = || host.files.iter().filter_map(|spot| Some((spot, places.path(spot)?)));
    let has_folder = |(spot, file): &(&Spot, PathBuf)| {
        // A folder that every user has says nothing.
        spot.path.contains('/') && file.parent().is_some_and(|parent| disk.exists(parent))
    };
    let found = spots()
        .find(|(_, file)| disk.exists(file))
        .or_else(|| spots().find(has_folder))
        .map(|(_, file)| Location { file, installed: true });
    let mark = || host.marks.iter().filter_map(|spot| places.path(spot)).any(|p| disk.exists(&p));
    let elsewhere = || spots().next().map(|(_, file)| Location { file, installed: mark() });
    Ok(found.or_else(elsewhere))
}

/// The file of a packaged application, which sees no other.
fn packaged(host: &Host, places: &Places, disk: &dyn Disk) -> Result<Option<PathBuf>, Ambiguous> {
    let mut files = Vec::new();
    for spot in host.files.iter().filter(|spot| spot.systems.contains(&places.system)) {
        let (Base::Package(start), Some(local)) = (spot.base, &places.local) else { continue };
        let packages = local.join("Packages");
        let names = disk.names(&packages).into_iter().filter(|name| name.starts_with(start));
        files.extend(names.map(|name| packages.join(name).join(spot.path)));
    }
    if 1 < files.len() {
        let present: Vec<_> = files.iter().filter(|file| disk.exists(file)).cloned().collect();
        if present.len() != 1 {
            return Err(Ambiguous(files));
        }
        files = present;
    }
    Ok(files.pop())
}

impl Places {
    fn path(&self, spot: &Spot) -> Option<PathBuf> {
        if !spot.systems.contains(&self.system) {
            return None;
        }
        let home = |path: &str| self.home.as_ref().map(|home| home.join(path));
        let config = || self.config.clone().or_else(|| home(".config"));
        let base = match spot.base {
            Base::Home => self.home.clone(),
            // Both hosts that look there on macOS take no notice of the variable.
            Base::Config | Base::Zed if self.system == System::Mac => home(".config"),
            Base::Config => config(),
            Base::Zed => self.flatpak_config.clone().or_else(config),
            Base::Support => home("Library/Application Support"),
            Base::Roaming => self.roaming.clone(),
            Base::Package(_) => None,
            Base::Codex => self.codex.clone().or_else(|| home(".codex")),
            Base::ClaudeCode => self.claude_code.clone().or_else(|| self.home.clone()),
        }?;
        Some(if spot.path.is_empty() { base } else { base.join(spot.path) })
    }
}
