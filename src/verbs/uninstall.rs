//! Taking our entries out of the files of MCP hosts.

use std::process::ExitCode;

use super::hosts::{Deed, Opened, Session};
use crate::cli::UninstallRequest;
use crate::edge::journal::fingerprint;
use crate::install::{self, Broken, Change, Document, Host, Original};

/// Takes them out.
pub(crate) fn uninstall(request: &UninstallRequest) -> ExitCode {
    let mut session = Session::new(&request.target);
    for (host, location) in session.locations() {
        let Some(opened) = session.open(host, &location) else { continue };
        let paths = match chosen(&session, &opened, request) {
            Ok(Chosen::Paths(paths)) => paths,
            Ok(Chosen::Foreign(name)) => {
                let message =
                    format!("`{name}` in `{}` does not start this program", opened.shown());
                session.fail(1, host.title, &message, Some("`--force` takes it out all the same"));
                continue;
            }
            Err(broken) => {
                session.broken(host, &opened.path, &broken);
                continue;
            }
        };
        if paths.is_empty() {
            if request.target.hosts.is_some() {
                session.say(&format!("{}: there is no such entry", host.title));
            }
            continue;
        }
        match take_out(&session, &opened, host, paths) {
            Ok((change, Some(original))) => {
                session.restore(&opened, &change, &original);
            }
            Ok((change, None)) => {
                session.write(&opened, &change, Deed::Remove);
            }
            Err(broken) => session.broken(host, &opened.path, &broken),
        }
    }
    session.end()
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
    let survey = install::survey(&opened.document, opened.host)?;
    let target = opened.file.target();
    let written = session.journal().map(|journal| journal.entries(target)).unwrap_or_default();
    let mut ours = survey.ours;
    let foreign = survey.mcp_remote.into_iter().chain(survey.others);
    let (also_ours, foreign): (Vec<_>, Vec<_>) = foreign.partition(|path| written.contains(path));
    ours.extend(also_ours);
    let Some(name) = &request.name else { return Ok(Chosen::Paths(ours)) };
    let is_it = |path: &Vec<String>| path.last() == Some(name);
    ours.retain(is_it);
    let named: Vec<_> = foreign.into_iter().filter(is_it).collect();
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
    host: &Host,
    paths: Vec<Vec<String>>,
) -> Result<(Change, Option<Original>), Broken> {
    let text = opened.document.text();
    let original = session
        .journal()
        .and_then(|journal| journal.original(opened.file.target(), &paths, text, &fingerprint));
    let Some(original) = original else {
        return Ok((install::uninstall(&opened.document, host, paths)?, None));
    };
    let after = match &original {
        Original::Absent => Document::absent(),
        Original::Text(text) => Document::read(text.clone().into_bytes())?,
    };
    Ok((Change { paths, before: opened.document.clone(), after }, Some(original)))
}
