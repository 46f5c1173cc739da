//! The programs that run on this machine, by name.

use std::collections::BTreeSet;

/// The names of all processes, without `.exe`; empty where they cannot be listed.
pub fn names() -> BTreeSet<String> {
    let plain = |name: String| name.trim().trim_end_matches(".exe").to_owned();
    imp::names().into_iter().map(plain).collect()
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs;

    pub(super) fn names() -> Vec<String> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        let processes =
            processes.filter(|entry| entry.file_name().to_str().is_some_and(is_process));
        // The name by which it was started, cut at 15 bytes, and its file's.
        let names = |entry: fs::DirEntry| {
            let started = fs::read_to_string(entry.path().join("comm")).ok();
            let file = fs::read_link(entry.path().join("exe")).ok();
            let file = file.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
            [started, file].into_iter().flatten()
        };
        processes.flat_map(names).collect()
    }
}

/// Never run.
#[cfg(not(target_os = "linux"))]
mod imp {
    use std::process::{Command, Stdio};

    pub(super) fn names() -> Vec<String> {
        let mut list = if cfg!(windows) {
            let mut list = Command::new("tasklist");
            list.args(["/FO", "CSV", "/NH"]);
            list
        } else {
            let mut list = Command::new("/bin/ps");
            list.args(["-axo", "comm="]);
            list
        };
        let Ok(output) = list.stdin(Stdio::null()).output() else { return Vec::new() };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(name).collect()
    }

    /// `"Cursor.exe","4711",…`, or `/Applications/Cursor.app/Contents/MacOS/Cursor`.
    fn name(line: &str) -> String {
        let first = match line.strip_prefix('"') {
            Some(rest) => rest.split('"').next().unwrap_or_default(),
            None => line,
        };
        first.rsplit('/').next().unwrap_or_default().to_owned()
    }
}
