//! Which MCP hosts there are, and what stands in their files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::ClientsRequest;
use crate::edge::config_file::{ConfigFile, ThisDisk};
use crate::edge::{journal, processes};
use crate::install::{Ambiguous, Document, HOSTS, Host, Location, Survey, locate, survey};
use crate::report::printable;
use crate::run;

/// Shows them.
pub(crate) fn clients(request: &ClientsRequest) -> ExitCode {
    let running = processes::names();
    let seen: Vec<_> = HOSTS
        .iter()
        .map(|host| {
            let is_running = host.processes.iter().any(|name| running.contains(*name));
            Seen { host, is_running, place: look(host, request) }
        })
        .collect();
    let text = if request.json {
        let clients: Vec<_> = seen.iter().map(entry).collect();
        format!("{:#}\n", json!({ "version": 1, "clients": clients }))
    } else {
        describe(&seen)
    };
    run::print(&text);
    let is_broken = seen.iter().any(|seen| matches!(seen.place, Place::Broken { .. }));
    if is_broken { ExitCode::from(6) } else { ExitCode::SUCCESS }
}

struct Seen {
    host: &'static Host,
    is_running: bool,
    place: Place,
}

/// What there is of a host.
enum Place {
    Missing,
    /// Installed, but without a file.
    Empty(PathBuf),
    Read(PathBuf, Survey),
    Broken {
        file: Option<PathBuf>,
        reason: String,
    },
}

fn look(host: &Host, request: &ClientsRequest) -> Place {
    let Location { file, installed } = match locate(host, &request.places, &ThisDisk) {
        Ok(Some(location)) => location,
        Ok(None) => return Place::Missing,
        Err(Ambiguous(files)) => {
            let reason = format!("it is installed {} times", files.len());
            return Place::Broken { file: None, reason };
        }
    };
    let read = ConfigFile::read(&file).map_err(|error| error.to_string()).and_then(|read| {
        let Some(bytes) = read.bytes() else { return Ok(None) };
        let document = Document::read(bytes.to_vec());
        // What cannot be remembered is no reason to show nothing.
        let journal = request.state_dir.as_deref().and_then(|dir| journal::load(dir).ok());
        let written = journal.map(|journal| journal.entries(read.target())).unwrap_or_default();
        let survey = document.and_then(|document| survey(&document, host, &written));
        survey.map(Some).map_err(|broken| broken.to_string())
    });
    match read {
        Ok(Some(survey)) => Place::Read(file, survey),
        Ok(None) if installed => Place::Empty(file),
        Ok(None) => Place::Missing,
        Err(reason) => Place::Broken { file: Some(file), reason },
    }
}

/// For programs: the schema grows, and nothing in it changes its meaning.
fn entry(seen: &Seen) -> Value {
    let mut entry = json!({
        "id": seen.host.id,
        "name": seen.host.title,
        "installed": !matches!(seen.place, Place::Missing),
        "running": seen.is_running,
    });
    let more = match &seen.place {
        Place::Missing => return entry,
        Place::Empty(file) => json!({ "file": file, "exists": false }),
        Place::Read(file, survey) => json!({
            "file": file,
            "exists": true,
            "entries": survey.ours,
            "mcpRemote": survey.mcp_remote,
            "others": survey.others.len(),
        }),
        Place::Broken { file, reason } => json!({ "file": file, "problem": reason }),
    };
    if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    entry
}

fn describe(seen: &[Seen]) -> String {
    let mut text = String::new();
    let mut missing = Vec::new();
    for Seen { host, is_running, place } in seen {
        let lines = match place {
            Place::Missing => {
                missing.push(host.id);
                continue;
            }
            Place::Empty(file) => vec![shown(file), "entries  none; there is no file".to_owned()],
            Place::Read(file, survey) => vec![shown(file), format!("entries  {}", list(survey))],
            Place::Broken { file, reason } => {
                let file = file.as_deref().map(shown);
                file.into_iter().chain([format!("problem  {reason}")]).collect()
            }
        };
        let running = if *is_running { ", running" } else { "" };
        text.push_str(&format!("{} ({}{running})\n", host.title, host.id));
        for line in lines {
            text.push_str(&format!("  {}\n", printable(&line)));
        }
    }
    if !missing.is_empty() {
        text.push_str(&format!("not found: {}\n", missing.join(", ")));
    }
    text
}

fn shown(file: &Path) -> String {
    format!("file     {}", file.display())
}

fn list(survey: &Survey) -> String {
    let name = |path: &Vec<String>| path.last().cloned().unwrap_or_default();
    let ours = survey.ours.iter().map(|path| format!("{} (this program)", name(path)));
    let theirs = survey.mcp_remote.iter().map(|path| format!("{} (mcp-remote)", name(path)));
    let mut parts: Vec<_> = ours.chain(theirs).collect();
    match survey.others.len() {
        0 => {}
        1 => parts.push("1 other".to_owned()),
        n => parts.push(format!("{n} others")),
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
