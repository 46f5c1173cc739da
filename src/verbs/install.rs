//! Putting an entry into the files of MCP hosts.

use std::process::ExitCode;

use super::hosts::{Deed, Done, Opened, Purpose, Session};
use crate::cli::{InstallRequest, MigrateRequest};
use crate::edge::program;
use crate::install::{self, Change, Document, Entry, Host, Location, Side, Step, unified};

/// Puts an entry into the files.
pub(crate) fn install(request: &InstallRequest) -> ExitCode {
    let purpose = if request.print { Purpose::Print } else { Purpose::Install };
    let mut session = match Session::new(&request.target, purpose) {
        Ok(session) => session,
        Err(status) => return status,
    };
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
            if !location.installed {
                session.say(&format!("warning: {} was not found on this machine", host.title));
            }
            session.work(host, &location, &mut |session, opened| {
                put(session, opened, &entry, request.target.force)
            });
        }
    }
    if session.has_written() && request.signs_in {
        let login = match &*request.args {
            [server] => format!("`apexmcp-bridge login {server}`"),
            _ => "`apexmcp-bridge login`, with the same server and flags,".to_owned(),
        };
        session
            .say(&format!("the first start opens your browser to sign in; {login} does that now"));
    }
    session.end()
}

/// Puts this program in the place of mcp-remote.
pub(crate) fn migrate(request: &MigrateRequest) -> ExitCode {
    let mut session = match Session::new(&request.target, Purpose::Migrate) {
        Ok(session) => session,
        Err(status) => return status,
    };
    let Some(program) = program(&mut session, request.search.as_deref()) else {
        return session.end();
    };
    let mut n_files = 0;
    for (host, location) in session.locations() {
        let mut found = false;
        session.work(host, &location, &mut |session, opened| match install::migrate(
            &opened.document,
            host,
            &program,
        ) {
            Ok(change) if change.paths.is_empty() => Done::Settled,
            Ok(change) => {
                found = true;
                session.write(opened, &change, Deed::Migrate)
            }
            Err(broken) => session.complain(opened, &broken),
        });
        n_files += usize::from(found);
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
        Err(broken) => session.broken(host, &location.file, &broken, None),
    }
}

fn put(session: &mut Session<'_>, opened: &Opened, entry: &Entry, force: bool) -> Done {
    let title = opened.host.title;
    let (name, shown) = (&entry.name, opened.shown());
    let diff = |change: &Change| {
        unified(&shown, change.before.text(), change.after.text(), (Side::File, Side::File))
    };
    match install::install(&opened.document, opened.host, entry) {
        Ok(Step::Present) => {
            session.say(&format!("{title}: `{name}` is there already, in `{shown}`"));
            Done::Settled
        }
        Ok(Step::Write(change)) => session.write(opened, &change, Deed::Add),
        Ok(Step::Differs(change)) if force => {
            let done = session.write(opened, &change, Deed::Replace);
            if done == Done::Settled && !session.is_dry() {
                session.print(&diff(&change));
            }
            done
        }
        Ok(Step::Differs(change)) => {
            session.print(&diff(&change));
            let message = format!("another entry `{name}` is there already, in `{shown}`");
            let hint = "`--force` replaces it as shown, `--name <NAME>` adds one beside it";
            session.fail(1, title, &message, Some(hint));
            Done::Settled
        }
        Err(broken) => session.complain(opened, &broken),
    }
}
