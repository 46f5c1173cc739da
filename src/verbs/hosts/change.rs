//! Writing a change into a host's file, and saying so.

use super::{Done, Opened, Session};
use crate::edge::clock;
use crate::edge::config_file::FileError;
use crate::edge::journal::{self, fingerprint};
use crate::install::{
    Change, Document, Host, Manner, Original, Side, Written, standing, survey, unified,
};

/// What is done to entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::verbs) enum Deed {
    Add,
    Replace,
    Migrate,
    Remove,
}

impl Session<'_> {
    /// Writes a change, or shows it; says what was done.
    pub(in crate::verbs) fn write(&mut self, opened: &Opened, change: &Change, deed: Deed) -> Done {
        self.settle(opened, change, None, deed)
    }

    /// The same for a file that becomes what it was before us.
    pub(in crate::verbs) fn restore(
        &mut self,
        opened: &Opened,
        change: &Change,
        original: &Original,
    ) -> Done {
        self.settle(opened, change, Some(original), Deed::Remove)
    }

    fn settle(
        &mut self,
        opened: &Opened,
        change: &Change,
        original: Option<&Original>,
        deed: Deed,
    ) -> Done {
        let is_deleted = original == Some(&Original::Absent);
        // Nobody should be promised what would be refused then.
        if let Err(error) = opened.file.check() {
            self.refuse(opened.host, &opened.path, &error);
            return Done::Settled;
        }
        if self.target.dry_run {
            self.show(opened, change, is_deleted);
            return Done::Settled;
        }
        self.note(opened, change, deed);
        let backup = self.target.backup.then(clock::unix);
        let written = if is_deleted {
            // There is nothing in it but what was written here.
            opened.file.delete().map(|()| None)
        } else {
            opened.file.replace(change.after.text().as_bytes(), backup)
        };
        let copy = match written {
            Ok(copy) => copy,
            Err(FileError::Changed) => return Done::Overtaken,
            Err(error) => {
                self.refuse(opened.host, &opened.path, &error);
                return Done::Settled;
            }
        };
        self.note_done(opened);
        let copy = copy.and_then(|copy| Some(copy.file_name()?.to_string_lossy().into_owned()));
        let (title, shown) = (opened.host.title, opened.shown());
        let deeds = described(change, opened.host, deed);
        let and_gone = if is_deleted { ", which was made for it and is deleted" } else { "" };
        self.say(&format!("{title}: {deeds} `{shown}`{and_gone}"));
        self.n_written += 1;
        if let Some(copy) = copy {
            self.say(&format!("  the file as it was is `{copy}`, beside it"));
        }
        self.tell_what_next(opened.host);
        Done::Settled
    }

    fn show(&self, opened: &Opened, change: &Change, is_deleted: bool) {
        let side = |is_there: bool| if is_there { Side::File } else { Side::Nothing };
        let is_there = opened.file.bytes().is_some();
        let sides = (side(is_there), side(!is_deleted));
        let shown = opened.shown();
        self.print(&unified(&shown, change.before.text(), change.after.text(), sides));
        let would = match (is_there, is_deleted) {
            (false, _) => "be made",
            (true, true) => "be deleted: it was made for the entry",
            (true, false) => "be changed",
        };
        self.say(&format!("{}: `{shown}` would {would}", opened.host.title));
    }

    /// Notes what is about to be written: whoever dies at work has left nothing unknown.
    fn note(&mut self, opened: &Opened, change: &Change, deed: Deed) {
        let Some((dir, journal)) = &mut self.journal else { return };
        let file = opened.file.target();
        let (before, after) = (change.before.text(), change.after.text());
        if deed == Deed::Remove {
            journal.removing(file, &change.paths, before, after, &fingerprint);
        } else {
            let known = journal.entries(file);
            if !holds(opened, &known) {
                journal.forget(file);
            }
            let written = written(opened.host, change, &known);
            let before = opened.file.bytes().map(|_| before);
            journal.writing(file, &written, before, after, &fingerprint);
        }
        if let Err(error) = journal::save(dir, journal) {
            let text = format!("warning: it is not remembered what is written: {error}");
            self.say(&text);
        }
    }

    fn note_done(&mut self, opened: &Opened) {
        let Some((dir, journal)) = &mut self.journal else { return };
        if journal.done(opened.file.target()) {
            // What is remembered of a file that holds nothing of ours is of no harm.
            journal::save(dir, journal).ok();
        }
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
}

/// Whether one of these entries is in the file.
fn holds(opened: &Opened, entries: &[Written]) -> bool {
    survey(&opened.document, opened.host, entries)
        .is_ok_and(|found| found.ours.iter().any(|path| entries.iter().any(|e| e.path == *path)))
}

/// What is written, and what stood there before; `known` was written earlier.
fn written(host: &Host, change: &Change, known: &[Written]) -> Vec<Written> {
    let entry = |path: &Vec<String>| {
        let program = standing(&change.after, host, path)?.program?;
        let replaced = standing(&change.before, host, path).and_then(|before| {
            let is_it = |entry: &&Written| {
                entry.path == *path && Some(&entry.program) == before.program.as_ref()
            };
            // What is ours is no predecessor, but may have one.
            match known.iter().find(is_it) {
                Some(ours) => ours.replaced.clone(),
                None => before.text,
            }
        });
        Some(Written { path: path.clone(), program, replaced })
    };
    change.paths.iter().filter_map(entry).collect()
}

/// Which entries, and what was done to them; the name of the file follows.
fn described(change: &Change, host: &Host, deed: Deed) -> String {
    let has = |document: &Document, path: &[String]| standing(document, host, path).is_some();
    let (back, other): (Vec<_>, Vec<_>) = change
        .paths
        .iter()
        .partition(|path| deed == Deed::Remove && has(&change.after, path.as_slice()));
    let names = |paths: &[&Vec<String>]| {
        let names: Vec<_> = paths.iter().filter_map(|path| path.last()).collect();
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        (names.join(", "), verb)
    };
    let (others, verb) = names(&other);
    let done = match deed {
        Deed::Add => format!("{others} {verb} added to"),
        Deed::Replace => format!("{others} {verb} replaced in"),
        Deed::Migrate if other.len() == 1 => format!("{others} starts this program now, in"),
        Deed::Migrate => format!("{others} start this program now, in"),
        Deed::Remove => format!("{others} {verb} taken out of"),
    };
    let (returned, verb) = names(&back);
    match (other.is_empty(), back.is_empty()) {
        (_, true) => done,
        (true, false) => format!("{returned} {verb} again as before us, in"),
        (false, false) => format!("{returned} {verb} again as before us, and {done}"),
    }
}
