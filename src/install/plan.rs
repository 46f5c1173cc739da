//! What is to be done to a file, as a value: nothing is written here.

use super::document::{Broken, Document};
use super::entry::Entry;
use super::format::{Found, Substitute};
use super::host::Host;
use super::journal::Written;
use super::json;
use super::mcp_remote::n_wrapper_words;
use super::value::Value;

/// What an installation comes to.
#[derive(Debug)]
pub enum Step {
    /// The entry is there already.
    Present,
    /// This is to be written.
    Write(Change),
    /// Another entry of that name is there; this would replace it.
    Differs(Change),
}

/// A file before and after.
#[derive(Debug)]
pub struct Change {
    /// The entries that change: the members on the way to each, its name last.
    pub paths: Vec<Vec<String>>,
    /// As it is.
    pub before: Document,
    /// As it is to be.
    pub after: Document,
}

/// Puts an entry into a file.
pub fn install(document: &Document, host: &Host, entry: &Entry) -> Result<Step, Broken> {
    let text = document.body();
    let path = vec![host.section.to_owned()];
    let value = entry.value(host.shape);
    let entries = host.format.entries(text, &path)?;
    let found = entries.iter().find(|found| found.name == entry.name);
    if found.is_some_and(|found| found.value.covers(&value)) {
        return Ok(Step::Present);
    }
    let splices = match found {
        None => host.format.insert(text, &path, &entry.name, &value)?,
        Some(_) => host.format.replace(text, &path, &entry.name, &value)?,
    };
    let after = document.with(splices);
    let expected = Found { name: entry.name.clone(), value };
    verify(host, &path, entries.clone(), &after, &entry.name, Some(expected))?;
    let change = change(document, after, vec![named(&path, &entry.name)]);
    Ok(if found.is_none() { Step::Write(change) } else { Step::Differs(change) })
}

/// Takes entries out of a file. Each may have something that stood in its place before, as
/// [`standing`] has returned it.
pub fn uninstall(
    document: &Document,
    host: &Host,
    entries: Vec<(Vec<String>, Option<String>)>,
) -> Result<Change, Broken> {
    let mut after = document.clone();
    let mut paths = Vec::new();
    for (path, before) in entries {
        let Some((name, section)) = path.split_last() else { continue };
        after = match before {
            Some(before) => put_back(&after, host, section, name, &before)?,
            None => without(&after, host, section, name)?,
        };
        paths.push(path);
    }
    Ok(change(document, after, paths))
}

fn without(
    document: &Document,
    host: &Host,
    section: &[String],
    name: &str,
) -> Result<Document, Broken> {
    let text = document.body();
    let entries = host.format.entries(text, section)?;
    let after = document.with(host.format.remove(text, section, name)?);
    verify(host, section, entries, &after, name, None)?;
    Ok(after)
}

fn put_back(
    document: &Document,
    host: &Host,
    section: &[String],
    name: &str,
    before: &str,
) -> Result<Document, Broken> {
    let text = document.body();
    let entries = host.format.entries(text, section)?;
    let after = document.with(host.format.put_back(text, section, name, before)?);
    let found = host.format.entries(after.body(), section).map_err(|_| unsafe_change())?;
    let found = found.into_iter().find(|found| found.name == *name);
    verify(host, section, entries, &after, name, Some(found.ok_or_else(unsafe_change)?))?;
    Ok(after)
}

/// An entry as it is written, and the program that it starts.
#[derive(Clone, PartialEq, Eq)]
pub struct Standing {
    /// The program, if it is one that can be started.
    pub program: Option<String>,
    /// For [`uninstall`]; `None` if it is written in a way that could not be put back.
    pub text: Option<String>,
}

/// Credentials stand in entries.
impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Standing(…)")
    }
}

/// The entry at `path`, if it is there.
pub fn standing(document: &Document, host: &Host, path: &[String]) -> Option<Standing> {
    let (name, section) = path.split_last()?;
    let found = host.format.entries(document.body(), section).ok()?;
    let found = found.into_iter().find(|found| found.name == *name)?;
    let text = host.format.written(document.body(), section, name).ok();
    let program = command(host, &found.value).map(|(program, _)| program.to_owned());
    Some(Standing { program, text })
}

/// Puts this program in the place of mcp-remote; no path in the result if there is none.
pub fn migrate(document: &Document, host: &Host, program: &str) -> Result<Change, Broken> {
    let mut after = document.clone();
    let mut paths = Vec::new();
    for section in sections(host, document) {
        for found in host.format.entries(document.body(), &section)? {
            let Some((command, args)) = command(host, &found.value) else { continue };
            let Some(n_gone) = n_wrapper_words(command, &args) else { continue };
            let substitute = Substitute { key: host.shape.program_key(), program, n_gone };
            let splices =
                host.format.substitute(after.body(), &section, &found.name, &substitute)?;
            let next = after.with(splices);
            check_substitute(host, &section, &found, &next, program, n_gone)?;
            after = next;
            paths.push(named(&section, &found.name));
        }
    }
    Ok(change(document, after, paths))
}

/// What stands in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The entries that start this program, or what was written here.
    pub ours: Vec<Vec<String>>,
    /// The entries that start mcp-remote.
    pub mcp_remote: Vec<Vec<String>>,
    /// All others.
    pub others: Vec<Vec<String>>,
}

/// Looks at all entries; these were written here.
pub fn survey(document: &Document, host: &Host, written: &[Written]) -> Result<Survey, Broken> {
    let mut survey = Survey::default();
    let is_written = |path: &[String], program: &str| {
        written.iter().any(|entry| entry.path == path && entry.program == program)
    };
    for section in sections(host, document) {
        for found in host.format.entries(document.body(), &section)? {
            let path = named(&section, &found.name);
            match command(host, &found.value) {
                Some((program, _)) if is_this(program) || is_written(&path, program) => {
                    survey.ours.push(path);
                }
                Some((program, args)) if n_wrapper_words(program, &args).is_some() => {
                    survey.mcp_remote.push(path);
                }
                _ => survey.others.push(path),
            }
        }
    }
    Ok(survey)
}

fn is_this(program: &str) -> bool {
    let file = program.rsplit(['/', '\\']).next().unwrap_or_default();
    file.strip_suffix(".exe").unwrap_or(file) == NAME
}

/// Where entries are: one section, and in Claude Code another one for each project.
fn sections(host: &Host, document: &Document) -> Vec<Vec<String>> {
    let mut sections = vec![vec![host.section.to_owned()]];
    if let Some(projects) = host.projects {
        sections.extend(json::inner_sections(document.body(), projects, host.section));
    }
    sections
}

/// The program and the arguments of an entry.
fn command<'a>(host: &Host, value: &'a Value) -> Option<(&'a str, Vec<&'a str>)> {
    let (program, holder) = match value.member(host.shape.program_key())? {
        // An older form of Zed's.
        inner @ Value::Object(_) => (inner.member("path")?, inner),
        program => (program, value),
    };
    let args = holder.member("args").and_then(Value::as_texts).unwrap_or_default();
    Some((program.as_text()?, args))
}

/// Reads the new text as the host will: everything is as before, but for the one entry.
fn verify(
    host: &Host,
    section: &[String],
    before: Vec<Found>,
    after: &Document,
    name: &str,
    expected: Option<Found>,
) -> Result<(), Broken> {
    let entries = host.format.entries(after.body(), section).map_err(|_| unsafe_change())?;
    let others = |entries: &[Found]| -> Vec<Found> {
        entries.iter().filter(|found| found.name != name).cloned().collect()
    };
    let found = entries.iter().find(|found| found.name == name);
    if others(&before) == others(&entries) && found == expected.as_ref() {
        Ok(())
    } else {
        Err(unsafe_change())
    }
}

fn check_substitute(
    host: &Host,
    section: &[String],
    before: &Found,
    after: &Document,
    program: &str,
    n_gone: usize,
) -> Result<(), Broken> {
    let entries = host.format.entries(after.body(), section).map_err(|_| unsafe_change())?;
    let found = entries.iter().find(|found| found.name == before.name);
    let now = found.and_then(|found| command(host, &found.value));
    let kept = command(host, &before.value);
    let kept = kept.as_ref().and_then(|(_, args)| args.get(n_gone..));
    match (now, kept) {
        (Some((now, args)), Some(kept)) if now == program && args == *kept => Ok(()),
        _ => Err(unsafe_change()),
    }
}

fn unsafe_change() -> Broken {
    let reason = "the file is written in a way that cannot be changed without touching the rest";
    Broken { line: 1, column: 1, reason: reason.to_owned() }
}

fn change(before: &Document, after: Document, paths: Vec<Vec<String>>) -> Change {
    Change { paths, before: before.clone(), after }
}

fn named(section: &[String], name: &str) -> Vec<String> {
    section.iter().cloned().chain([name.to_owned()]).collect()
}

/// This program's file.
const NAME: &str = "apexmcp-bridge";
