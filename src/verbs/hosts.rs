//! What the verbs that work on the files of MCP hosts have in common.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::Target;
use crate::edge::clock;
use crate::edge::config_file::{ConfigFile, FileError, ThisDisk};
use crate::edge::journal;
use crate::edge::processes;
use crate::edge::stdio::Log;
use crate::install::{
    Ambiguous, Change, Document, HOSTS, Host, Journal, Location, Manner, Original, Survey, locate,
    survey, unified,
};
use crate::report::printable;
use crate::run;

/// One run over the files.
pub(super) struct Session<'a> {
    target: &'a Target,
    log: Log,
    /// The directory, and what is remembered in it.
    journal: Option<(PathBuf, Journal)>,
    running: BTreeSet<String>,
    status: u8,
}

/// A file that could be read.
pub(super) struct Opened {
    pub(super) host: &'static Host,
    /// As the host names it.
    pub(super) path: PathBuf,
    pub(super) file: ConfigFile,
    pub(super) document: Document,
}

impl Opened {
    /// For people.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        let log = Log::stderr();
        let load = |dir: &PathBuf| match journal::load(dir) {
            Ok(journal) => Some((dir.clone(), journal)),
            Err(error) => {
                log.line(&printable(&format!(
                    "warning: it is not remembered what is written into files: {error}"
                )));
                None
            }
        };
        let journal = target.state_dir.as_ref().and_then(load);
        Self { target, log, journal, running: processes::names(), status: 0 }
    }

    /// The hosts that are meant, and where their files are.
    pub(super) fn locations(&mut self) -> Vec<(&'static Host, Location)> {
        let named = self.target.hosts.clone();
        let hosts = named.clone().unwrap_or_else(|| HOSTS.iter().collect());
        let mut locations = Vec::new();
        for host in hosts {
            match locate(host, &self.target.places, &ThisDisk) {
                Ok(Some(location)) if named.is_some() || location.installed => {
                    locations.push((host, location));
                }
                Ok(Some(_)) => {}
                Ok(None) => self.fail(6, host.title, "it is not known where your files are", None),
                Err(Ambiguous(files)) => {
                    let files: Vec<_> =
                        files.iter().map(|file| format!("`{}`", file.display())).collect();
                    let hint = format!("it reads one of {}", files.join(", "));
                    self.fail(6, host.title, "it is installed more than once", Some(&hint));
                }
            }
        }
        locations
    }

    /// Reads a host's file; says what is wrong with it.
    pub(super) fn open(&mut self, host: &'static Host, location: &Location) -> Option<Opened> {
        let path = location.file.clone();
        let file = match ConfigFile::read(&path) {
            Ok(file) => file,
            Err(error) => {
                self.refuse(host, &path, &error);
                return None;
            }
        };
        let document = match file.bytes() {
            Some(bytes) => Document::read(bytes.to_vec()),
            None => Ok(Document::absent()),
        };
        match document {
            Ok(document) => Some(Opened { host, path, file, document }),
            Err(broken) => {
                self.broken(host, &path, &broken);
                None
            }
        }
    }

    /// Writes a change, or shows it; says what was done.
    pub(super) fn write(&mut self, opened: &Opened, change: &Change, deed: Deed) {
        self.settle(opened, change, None, deed);
    }

    /// The same for a file that becomes what it was before us.
    pub(super) fn restore(&mut self, opened: &Opened, change: &Change, original: &Original) {
        self.settle(opened, change, Some(original), Deed::Remove);
    }

    fn settle(
        &mut self,
        opened: &Opened,
        change: &Change,
        original: Option<&Original>,
        deed: Deed,
    ) {
        let title = opened.host.title;
        let shown = opened.shown();
        if self.target.dry_run {
            self.print(&unified(&shown, change.before.text(), change.after.text()));
            self.say(&format!("{title}: `{shown}` would be changed"));
            return;
        }
        let backup = self.target.backup.then(clock::unix);
        let written = match original {
            Some(Original::Absent) => opened.file.delete(backup),
            _ => opened.file.replace(change.after.text().as_bytes(), backup),
        };
        let copy = match written {
            Ok(copy) => copy,
            Err(error) => {
                self.refuse(opened.host, &opened.path, &error);
                return;
            }
        };
        self.remember(opened, change, deed);
        let names: Vec<_> = change.paths.iter().filter_map(|path| path.last()).collect();
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let copy = copy.and_then(|copy| Some(copy.file_name()?.to_string_lossy().into_owned()));
        let copy = copy.map(|copy| format!("; the file as it was is `{copy}`")).unwrap_or_default();
        self.say(&format!("{title}: {} {} `{shown}`{copy}", names.join(", "), deed.text()));
        self.tell_what_next(opened.host);
    }

    fn remember(&mut self, opened: &Opened, change: &Change, deed: Deed) {
        let Some((dir, journal)) = &mut self.journal else { return };
        let file = opened.file.real_path();
        let (before, after) = (change.before.text(), change.after.text());
        if deed == Deed::Remove {
            journal.removed(&file, &change.paths, before, after, &journal::fingerprint);
        } else {
            if !holds(opened, &journal.entries(&file)) {
                journal.forget(&file);
            }
            let before = opened.file.bytes().map(|_| before);
            journal.wrote(&file, &change.paths, before, after, &journal::fingerprint);
        }
        if let Err(error) = journal::save(dir, journal) {
            let text = format!("warning: it is not remembered what was written: {error}");
            self.say(&text);
        }
    }

    /// What is remembered of a file.
    pub(super) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref().map(|(_, journal)| journal)
    }

    pub(super) fn is_running(&self, host: &Host) -> bool {
        host.processes.iter().any(|name| self.running.contains(*name))
    }

    fn tell_what_next(&self, host: &Host) {
        let title = host.title;
        if !self.is_running(host) {
            return;
        }
        self.say(&match host.manner {
            Manner::Rewrites => format!(
                "warning: {title} is running, and may write its own copy of the file back; quit it \
                 (from the tray too), run this once more, and start it again"
            ),
            Manner::Restarts => format!("{title} is running: restart it"),
            Manner::Watches => {
                format!("{title} is running and reads its file again; if it does not, restart it")
            }
            Manner::Session => format!("{title} is running: start a new session"),
        });
    }

    pub(super) fn broken(&mut self, host: &Host, path: &Path, broken: &crate::install::Broken) {
        let message = format!("`{}` is left as it is: {broken}", path.display());
        let hint = "mend the file there and run this again; or add the entry yourself, which \
                    `install --print` shows";
        self.fail(6, host.title, &message, Some(hint));
    }

    fn refuse(&mut self, host: &Host, path: &Path, error: &FileError) {
        let hint = match error {
            FileError::Open => Some("only you should choose what is started: `chmod o-w` it"),
            FileError::ReadOnly => Some("whoever made it so should make the change"),
            FileError::Changed => Some("run this again"),
            FileError::Dangling(_) | FileError::Odd | FileError::Io(_) => None,
        };
        let path = path.display();
        let message = match error {
            FileError::Io(error) => format!("`{path}` cannot be read or written: {error}"),
            other => format!("`{path}` {other}"),
        };
        self.fail(6, host.title, &message, hint);
    }

    pub(super) fn fail(&mut self, status: u8, title: &str, message: &str, hint: Option<&str>) {
        self.status = self.status.max(status);
        self.say(&format!("error: {title}: {message}"));
        if let Some(hint) = hint {
            self.say(&format!("hint: {hint}"));
        }
    }

    pub(super) fn say(&self, text: &str) {
        self.log.line(&printable(text));
    }

    /// Prints to stdout what comes after everything that was said.
    pub(super) fn print(&self, text: &str) {
        self.log.settle();
        run::print(text);
    }

    /// Ends the run.
    pub(super) fn end(self) -> ExitCode {
        self.log.close();
        ExitCode::from(self.status)
    }
}

/// Whether one of these entries is in the file.
fn holds(opened: &Opened, entries: &BTreeSet<Vec<String>>) -> bool {
    survey(&opened.document, opened.host).is_ok_and(|Survey { ours, mcp_remote, others }| {
        ours.iter().chain(&mcp_remote).chain(&others).any(|path| entries.contains(path))
    })
}

/// What was done to an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Add,
    Replace,
    Migrate,
    Remove,
}

impl Deed {
    /// Between the name of the entry and that of the file.
    fn text(self) -> &'static str {
        match self {
            Self::Add => "is added to",
            Self::Replace => "is replaced in",
            Self::Migrate => "starts this program now, in",
            Self::Remove => "is taken out of",
        }
    }
}
