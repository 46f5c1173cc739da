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
    let path = linked.unwrap_or_else(|| plain(&own));
    Ok(Program { is_passing: is_passing(&path), path })
}

/// `C:\…` of `\\?\C:\…`, which is how Windows spells a path without links, and few programs can read.
fn plain(path: &Path) -> PathBuf {
    let plain = path.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    plain.filter(|text| !text.starts_with("UNC")).map_or_else(|| path.to_path_buf(), PathBuf::from)
}

fn is_passing(path: &Path) -> bool {
    let is_cache =
        |part: &str| ["_npx", "AppTranslocation", ".cache", "cache", "dlx"].contains(&part);
    let parts = path.parent().into_iter().flat_map(Path::components);
    path.starts_with(env::temp_dir())
        || parts.filter_map(|part| part.as_os_str().to_str()).any(is_cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_stay_is_told_from_what_does() {
        for (path, expected) in [
            ("/home/u/.npm/_npx/0a1b/node_modules/x/bin/apexmcp-bridge", true),
            ("/home/u/.cache/uv/archive-v0/x/bin/apexmcp-bridge", true),
            ("/home/u/.local/share/uv/tools/x/bin/apexmcp-bridge", false),
            ("/usr/bin/apexmcp-bridge", false),
        ] {
            assert_eq!(is_passing(Path::new(path)), expected, "{path}");
        }
        assert!(is_passing(&env::temp_dir().join("apexmcp-bridge")));
    }

    #[test]
    fn paths_of_windows_are_written_as_people_write_them() {
        for (path, expected) in [
            (r"\\?\C:\bin\apexmcp-bridge.exe", r"C:\bin\apexmcp-bridge.exe"),
            (r"\\?\UNC\server\bin\x.exe", r"\\?\UNC\server\bin\x.exe"),
            ("/usr/bin/apexmcp-bridge", "/usr/bin/apexmcp-bridge"),
        ] {
            assert_eq!(plain(Path::new(path)), Path::new(expected));
        }
    }
}
