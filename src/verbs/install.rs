//! Putting an entry into the files of MCP hosts.

use std::process::ExitCode;

use super::hosts::{Deed, Session};
use crate::cli::{InstallRequest, MigrateRequest};
use crate::edge::program;
use crate::install::{self, Document, Entry, Host, Location, Step, unified};

/// Puts an entry into the files.
pub(crate) fn install(request: &InstallRequest) -> ExitCode {
    let mut session = Session::new(&request.target);
    for warning in &request.warnings {
        session.say(&format!("warning: {warning}"));
    }
    let Some(program) = program(&mut session, request.search.as_deref()) else {
        return session.end();
    };
    let InstallRequest { name, args, env, .. } = request;
    let (name, args, env) = (name.clone(), args.clone(), env.clone());
    let entry = Entry { name, program, args, env };
    let locations = session.locations();
    if locations.is_empty() {
        let hint = "name one: `apexmcp-bridge install --help` lists them";
        session.fail(1, "--detected", "no MCP client was found on this machine", Some(hint));
    }
    for (host, location) in locations {
        if request.print {
            print(&mut session, host, &location, &entry);
        } else {
            put(&mut session, host, &location, &entry, request.target.force);
        }
    }
    session.end()
}

/// Puts this program in the place of mcp-remote.
pub(crate) fn migrate(request: &MigrateRequest) -> ExitCode {
    let mut session = Session::new(&request.target);
    let Some(program) = program(&mut session, request.search.as_deref()) else {
        return session.end();
    };
    let mut n_files = 0;
    for (host, location) in session.locations() {
        let Some(opened) = session.open(host, &location) else { continue };
        match install::migrate(&opened.document, host, &program) {
            Ok(change) if change.paths.is_empty() => {}
            Ok(change) => {
                n_files += 1;
                session.write(&opened, &change, Deed::Migrate);
            }
            Err(broken) => session.broken(host, &opened.path, &broken),
        }
    }
    if n_files == 0 {
        session.say("no MCP client starts mcp-remote");
    } else if !request.target.dry_run {
        session.say("the sign-ins of mcp-remote are taken over at the first start");
    }
    session.end()
}

/// The absolute path of this program.
fn program(session: &mut Session<'_>, search: Option<&std::ffi::OsStr>) -> Option<String> {
    let found = match program::find(search) {
        Ok(found) => found,
        Err(error) => {
            session.fail(6, "this program", &format!("cannot be found: {error}"), None);
            return None;
        }
    };
    let Some(path) = found.path.to_str() else {
        session.fail(6, "this program", "its path is not valid UTF-8", None);
        return None;
    };
    if found.is_passing {
        session.say(&format!(
            "warning: this program lies in a folder whose files do not stay (`{path}`); put it \
             into a folder of its own, and run this again"
        ));
    }
    Some(path.to_owned())
}

fn print(session: &mut Session<'_>, host: &'static Host, location: &Location, entry: &Entry) {
    match install::install(&Document::absent(), host, entry) {
        Ok(Step::Write(change)) => {
            session.say(&format!("{}: `{}` needs this:", host.title, location.file.display()));
            session.print(change.after.text());
        }
        // An empty file takes everything.
        Ok(_) => {}
        Err(broken) => session.broken(host, &location.file, &broken),
    }
}

fn put(
    session: &mut Session<'_>,
    host: &'static Host,
    location: &Location,
    entry: &Entry,
    force: bool,
) {
    let title = host.title;
    if !location.installed {
        session.say(&format!("warning: {title} was not found on this machine"));
    }
    let Some(opened) = session.open(host, location) else { return };
    let (name, shown) = (&entry.name, opened.shown());
    match install::install(&opened.document, host, entry) {
        Ok(Step::Present) => {
            session.say(&format!("{title}: `{name}` is there already, in `{shown}`"));
        }
        Ok(Step::Write(change)) => {
            session.write(&opened, &change, Deed::Add);
        }
        Ok(Step::Differs(change)) if force => {
            session.write(&opened, &change, Deed::Replace);
        }
        Ok(Step::Differs(change)) => {
            session.print(&unified(&shown, change.before.text(), change.after.text()));
            let message = format!("another entry `{name}` is there already, in `{shown}`");
            let hint = "`--force` replaces it as shown, `--name <NAME>` adds one beside it";
            session.fail(1, title, &message, Some(hint));
        }
        Err(broken) => session.broken(host, &opened.path, &broken),
    }
}
