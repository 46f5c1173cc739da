//! What the verbs that work on the files of MCP hosts have in common.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::Target;
use crate::edge::config_file::{ConfigFile, FileError, ThisDisk};
use crate::edge::journal::{self, JournalError};
use crate::edge::processes;
use crate::edge::stdio::Log;
use crate::install::{
    Ambiguous, Broken, Document, HOSTS, Host, Journal, Location, Written, locate,
};
use crate::report::printable;
use crate::run;

mod change;

pub(super) use change::Deed;

/// One run over the files.
pub(super) struct Session<'a> {
    target: &'a Target,
    purpose: Purpose,
    log: Log,
    /// The directory, and what is remembered in it.
    journal: Option<(PathBuf, Journal)>,
    /// Held while files are written.
    lock: Option<File>,
    running: BTreeSet<String>,
    /// How many files were written.
    n_written: usize,
    status: u8,
}

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Install,
    /// Only to look at what would be written.
    Print,
    Migrate,
    Uninstall,
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
    /// `Err` if another process is at work for too long.
    pub(super) fn new(target: &'a Target, purpose: Purpose) -> Result<Self, ExitCode> {
        let mut session = Self {
            target,
            purpose,
            log: Log::stderr(),
            journal: None,
            lock: None,
            running: processes::names(),
            n_written: 0,
            status: 0,
        };
        let Some(dir) = &target.state_dir else { return Ok(session) };
        match session.remember(dir) {
            Ok(()) => Ok(session),
            Err(error @ JournalError::Busy(_)) => {
                session.fail(6, "this program", &error.to_string(), None);
                Err(session.end())
            }
            Err(error) => {
                session.say(&format!(
                    "warning: it is not remembered what is written into files: {error}"
                ));
                Ok(session)
            }
        }
    }

    fn remember(&mut self, dir: &Path) -> Result<(), JournalError> {
        if !self.target.dry_run && self.purpose != Purpose::Print {
            self.lock = Some(journal::lock(dir)?);
        }
        self.journal = Some((dir.to_path_buf(), journal::load(dir)?));
        Ok(())
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
                self.broken(host, &path, &broken, None);
                None
            }
        }
    }

    /// Works on a host's file; from the beginning if somebody else wrote it meanwhile.
    pub(super) fn work(
        &mut self,
        host: &'static Host,
        location: &Location,
        work: &mut dyn FnMut(&mut Self, &Opened) -> Done,
    ) {
        for _ in 0..MOST_TRIES {
            let Some(opened) = self.open(host, location) else { return };
            if work(self, &opened) == Done::Settled {
                return;
            }
        }
        self.refuse(host, &location.file, &FileError::Changed);
    }

    /// What is remembered.
    pub(super) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref().map(|(_, journal)| journal)
    }

    /// What was written into a file.
    pub(super) fn written(&self, opened: &Opened) -> Vec<Written> {
        let target = opened.file.target();
        self.journal().map(|journal| journal.entries(target)).unwrap_or_default()
    }

    /// Whether a file was written.
    pub(super) fn has_written(&self) -> bool {
        0 < self.n_written
    }

    /// Whether nothing is written.
    pub(super) fn is_dry(&self) -> bool {
        self.target.dry_run
    }

    pub(super) fn is_running(&self, host: &Host) -> bool {
        host.processes.iter().any(|name| self.running.contains(*name))
    }

    /// Says what is wrong in a file; `text` is what could be read of it.
    pub(super) fn broken(&mut self, host: &Host, path: &Path, broken: &Broken, text: Option<&str>) {
        let message = format!("`{}` is left as it is: {broken}", path.display());
        let instead = match self.purpose {
            Purpose::Install | Purpose::Print => {
                "or add the entry yourself, which `install --print` shows"
            }
            Purpose::Migrate => {
                "or change the entry yourself: this program takes the same arguments"
            }
            Purpose::Uninstall if text.is_some_and(|text| !text.contains(NAME)) => {
                "nothing in it names this program"
            }
            Purpose::Uninstall => "or take the entry out yourself",
        };
        let hint = format!("mend the file there and run this again; {instead}");
        self.fail(6, host.title, &message, Some(&hint));
    }

    /// The same for a file that was read.
    pub(super) fn complain(&mut self, opened: &Opened, broken: &Broken) -> Done {
        self.broken(opened.host, &opened.path, broken, Some(opened.document.text()));
        Done::Settled
    }

    pub(super) fn refuse(&mut self, host: &Host, path: &Path, error: &FileError) {
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
    pub(super) fn end(mut self) -> ExitCode {
        // Closing it is what gives it back.
        self.lock = None;
        self.log.close();
        ExitCode::from(self.status)
    }
}

/// What comes of work on a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Settled,
    /// Somebody else wrote it meanwhile.
    Overtaken,
}

/// Claude Code writes its file at any moment.
const MOST_TRIES: usize = 3;
/// This program's file.
const NAME: &str = "apexmcp-bridge";
