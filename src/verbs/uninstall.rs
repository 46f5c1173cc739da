//! Taking our entries out of the files of MCP hosts.

use std::process::ExitCode;

use super::hosts::{Deed, Done, Opened, Purpose, Session};
use crate::cli::UninstallRequest;
use crate::edge::journal::fingerprint;
use crate::install::{self, Broken, Change, Document, Original};

/// Takes them out.
pub(crate) fn uninstall(request: &UninstallRequest) -> ExitCode {
    let mut session = match Session::new(&request.target, Purpose::Uninstall) {
        Ok(session) => session,
        Err(status) => return status,
    };
    let mut found = false;
    for (host, location) in session.locations() {
        session.work(host, &location, &mut |session, opened| {
            let done = out_of(session, opened, request);
            found |= done.is_some();
            done.unwrap_or(Done::Settled)
        });
    }
    if !found && request.target.hosts.is_none() {
        session.say("no MCP client has such an entry");
    }
    session.end()
}

/// `None` if there is no such entry.
fn out_of(session: &mut Session<'_>, opened: &Opened, request: &UninstallRequest) -> Option<Done> {
    let title = opened.host.title;
    let paths = match chosen(session, opened, request) {
        Ok(Chosen::Paths(paths)) => paths,
        Ok(Chosen::Foreign(name)) => {
            let message = format!("`{name}` in `{}` does not start this program", opened.shown());
            session.fail(1, title, &message, Some("`--force` takes it out all the same"));
            return Some(Done::Settled);
        }
        Err(broken) => return Some(session.complain(opened, &broken)),
    };
    if paths.is_empty() {
        if request.target.hosts.is_some() {
            session.say(&format!("{title}: there is no such entry"));
        }
        return None;
    }
    Some(match take_out(session, opened, paths) {
        Ok((change, Some(original))) => session.restore(opened, &change, &original),
        Ok((change, None)) => session.write(opened, &change, Deed::Remove),
        Err(broken) => session.complain(opened, &broken),
    })
}

enum Chosen {
    Paths(Vec<Vec<String>>),
    /// An entry of the name that was asked for, which is not ours.
    Foreign(String),
}

/// Which entries are meant: those that were written here, and those that start this program.
fn chosen(
    session: &Session<'_>,
    opened: &Opened,
    request: &UninstallRequest,
) -> Result<Chosen, Broken> {
    let survey = install::survey(&opened.document, opened.host, &session.written(opened))?;
    let mut ours = survey.ours;
    let foreign = survey.mcp_remote.into_iter().chain(survey.others);
    let Some(name) = &request.name else { return Ok(Chosen::Paths(ours)) };
    let is_it = |path: &Vec<String>| path.last() == Some(name);
    ours.retain(is_it);
    let named: Vec<_> = foreign.filter(is_it).collect();
    if request.target.force {
        ours.extend(named);
    } else if ours.is_empty() && !named.is_empty() {
        return Ok(Chosen::Foreign(name.clone()));
    }
    Ok(Chosen::Paths(ours))
}

/// The file without them: as it was before us where nobody else has changed it since.
fn take_out(
    session: &Session<'_>,
    opened: &Opened,
    paths: Vec<Vec<String>>,
) -> Result<(Change, Option<Original>), Broken> {
    let text = opened.document.text();
    let original = session
        .journal()
        .and_then(|journal| journal.original(opened.file.target(), &paths, text, &fingerprint));
    let Some(original) = original else {
        let written = session.written(opened);
        let entries = paths.into_iter().map(|path| {
            let known = written.iter().find(|entry| entry.path == path);
            let replaced = known.and_then(|entry| entry.replaced.clone());
            (path, replaced)
        });
        let change = install::uninstall(&opened.document, opened.host, entries.collect())?;
        return Ok((change, None));
    };
    let after = match &original {
        Original::Absent => Document::absent(),
        Original::Text(text) => Document::read(text.clone().into_bytes())?,
    };
    Ok((Change { paths, before: opened.document.clone(), after }, Some(original)))
}
