//! Where this program is, for others to start it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// The program as it should be named in a configuration.
#[derive(Debug)]
pub struct Program {
    /// Its absolute path.
    pub path: PathBuf,
    /// Whether it lies where files do not stay: in a cache, or in a temporary folder.
    pub is_passing: bool,
}

/// Finds this program. A link to it in a folder of `search` is preferred: package managers keep
/// such links, and change what is behind them with every version.
pub fn find(search: Option<&OsStr>) -> io::Result<Program> {
    let own = env::current_exe()?.canonicalize()?;
    let is_it = |path: &PathBuf| path.is_absolute() && path.canonicalize().is_ok_and(|p| p == own);
    let name = own.file_name().unwrap_or_default();
    let folders = search.map(|search| env::split_paths(search).collect()).unwrap_or_default();
    let folders: Vec<PathBuf> = folders;
    let linked = folders.iter().map(|folder| folder.join(name)).find(is_it);
    let path = linked.unwrap_or(own);
    Ok(Program { is_passing: is_passing(&path), path })
}

fn is_passing(path: &Path) -> bool {
    let is_cache = |part: &str| ["_npx", "AppTranslocation", ".cache", "uv", "dlx"].contains(&part);
    let parts = path.parent().into_iter().flat_map(Path::components);
    path.starts_with(env::temp_dir())
        || parts.filter_map(|part| part.as_os_str().to_str()).any(is_cache)
}
