//! Reads and prints faults by the list in `entries.rs`.

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::entries::ENTRIES;
use super::route::Route;
use super::{Fault, ListenFlaw};
use crate::mock::plan::Consent;

/// A fault as people order it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `group.name`; orders may leave the group out where the rest is unique.
    pub(crate) name: &'static str,
    /// What follows the name.
    pub(crate) argument: &'static str,
    pub(crate) about: &'static str,
    read: Read,
}

/// Reads an argument.
type Read = fn(Option<&str>) -> Result<Fault, String>;

pub(super) const fn entry(
    name: &'static str,
    argument: &'static str,
    about: &'static str,
    read: Read,
) -> Entry {
    Entry { name, argument, about, read }
}

/// Reads a fault. The second value is the only kind of request that it is about, if there is one.
pub(crate) fn read(name: &str, argument: Option<&str>) -> Result<(Fault, Option<Route>), String> {
    let mut short =
        ENTRIES.iter().filter(|it| it.name.split_once('.').is_some_and(|it| it.1 == name));
    let exact = ENTRIES.iter().find(|it| it.name == name);
    let entry = match (exact, short.next(), short.next()) {
        (Some(entry), _, _) | (None, Some(entry), None) => entry,
        (None, Some(one), Some(other)) => {
            return Err(format!("`{name}` may be `{}` or `{}`", one.name, other.name));
        }
        (None, None, _) => return member(name, argument).map(|it| (it, None)),
    };
    let fault = (entry.read)(argument).map_err(|problem| format!("`{}`: {problem}", entry.name))?;
    let route = match (entry.name, entry.name.split('.').next()) {
        ("disc.prm_redirect", _) => Some(Route::Prm),
        (_, Some("token")) => Some(Route::Token),
        (_, Some("page")) if !matches!(fault, Fault::HandoffInvalid) => Some(Route::Page),
        _ => None,
    };
    Ok((fault, route))
}

/// `FAMILY.MEMBER=JSON` puts another value into a document, `FAMILY.MEMBER` removes the member.
fn member(name: &str, json: Option<&str>) -> Result<Fault, String> {
    let unknown = || format!("there is no fault `{name}`; `--help faults` lists them");
    let (family, member) = name.split_once('.').ok_or_else(unknown)?;
    let (member, value) = (member.to_owned(), json.map_or(Value::Null, raw));
    match family {
        "prm" => Ok(Fault::ResourceMetadata(member, value)),
        "asm" => Ok(Fault::ServerMetadata(member, value)),
        "answer" => Ok(Fault::TokenMember(member, value)),
        "client" => Ok(Fault::RegistrationMember(member, value)),
        "discover" => Ok(Fault::DiscoverMember(member, value)),
        _ => Err(unknown()),
    }
}

/// What is no JSON is meant as text: nobody wants to quote quotes in a shell.
fn raw(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::from(json))
}

/// The list as people read it in a terminal, or as a table of Markdown.
pub(crate) fn help(markdown: bool) -> String {
    let mut text = String::new();
    for Entry { name, argument, about, .. } in ENTRIES {
        text += &if markdown {
            let order = format!("{name}{argument}").replace('|', "\\|");
            format!("| `{order}` | {about} |\n")
        } else {
            let order = format!("{name}{argument}");
            let gap = if order.len() < COLUMN { " " } else { INDENT };
            format!("  {order:<COLUMN$}{gap}{}\n", wrapped(about))
        };
    }
    text
}

/// Breaks a text that begins at its column into lines that a terminal has room for.
fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), COLUMN + 3);
    for word in text.split(' ') {
        let length = word.chars().count() + 1;
        if TERMINAL < width + length {
            lines += INDENT;
            width = COLUMN + 3;
        } else if !lines.is_empty() {
            lines.push(' ');
        }
        lines += word;
        width += length;
    }
    lines
}

/// How wide the column of orders is.
const COLUMN: usize = 36;

/// A new line, up to the column after it.
const INDENT: &str = "\n                                       ";

/// How wide a terminal is at least.
const TERMINAL: usize = 80;

/// The list for programs.
pub(crate) fn known() -> Vec<Value> {
    let entries = ENTRIES.iter();
    entries.map(|it| json!({"name": it.name, "argument": it.argument, "about": it.about})).collect()
}

pub(super) fn none(fault: Fault, argument: Option<&str>) -> Result<Fault, String> {
    argument.map_or(Ok(fault), |_| Err("takes no argument".into()))
}

pub(super) fn number<T: FromStr>(argument: Option<&str>) -> Result<T, String> {
    let text = argument.ok_or("needs a number")?;
    text.parse().map_err(|_| format!("`{text}` is not a number that fits"))
}

pub(super) fn millis(argument: Option<&str>) -> Result<Duration, String> {
    number(argument).map(Duration::from_millis)
}

pub(super) fn text(argument: Option<&str>) -> Result<String, String> {
    argument.map(str::to_owned).ok_or("needs an argument".into())
}

/// A status that a server may end with: 1xx would leave the client waiting.
pub(super) fn status(argument: Option<&str>) -> Result<u16, String> {
    number(argument).and_then(|it| {
        let fits = (200..=599).contains(&it);
        fits.then_some(it).ok_or(format!("`{it}` is not a status from 200 to 599"))
    })
}

pub(super) fn mega(argument: Option<&str>) -> Result<usize, String> {
    number::<usize>(argument).map(|it| it << 20)
}

pub(super) fn choice(argument: Option<&str>, choices: &[(&str, Fault)]) -> Result<Fault, String> {
    let found = choices.iter().find(|(name, _)| Some(*name) == argument);
    found.map(|(_, fault)| fault.clone()).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|it| it.0).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub(super) fn latency(argument: Option<&str>) -> Result<Fault, String> {
    match argument.and_then(|it| it.split_once('±')) {
        Some((middle, spread)) => {
            let (middle, spread) = (millis(Some(middle))?, millis(Some(spread))?);
            Ok(Fault::LatencyBetween(middle.saturating_sub(spread), middle + spread))
        }
        None => millis(argument).map(Fault::Latency),
    }
}

pub(super) fn retry_after(argument: Option<&str>) -> Result<Fault, String> {
    let digits = argument.and_then(|it| it.strip_prefix("date"));
    match digits {
        Some("") => Ok(Fault::RetryAfterDate(2)),
        Some(digits) => number(digits.strip_prefix('+')).map(Fault::RetryAfterDate),
        None => number(argument).map(Fault::RetryAfter),
    }
}

pub(super) fn redirect(argument: Option<&str>) -> Result<Fault, String> {
    let text = text(argument)?;
    match text.rsplit_once(',') {
        Some((url, code)) if code.parse::<u16>().is_ok_and(|it| (300..400).contains(&it)) => {
            Ok(Fault::Redirect(url.to_owned(), number(Some(code))?))
        }
        _ => Ok(Fault::Redirect(text, 307)),
    }
}

pub(super) fn grace(argument: Option<&str>) -> Result<Fault, String> {
    match argument.and_then(|it| it.strip_suffix(",last-only")) {
        Some(seconds) => number(Some(seconds)).map(Fault::TokenGraceLastOnly),
        None => number(argument).map(Fault::TokenGrace),
    }
}

pub(super) fn consent(argument: Option<&str>) -> Result<Fault, String> {
    if let Some(slow) = argument.and_then(|it| it.strip_prefix("slow=")) {
        return millis(Some(slow)).map(Fault::ConsentSlow);
    }
    let choices = [
        ("approve", Fault::ConsentIs(Consent::Approve)),
        ("deny", Fault::ConsentIs(Consent::Deny)),
        ("hang", Fault::ConsentHang),
        ("twice", Fault::ConsentTwice),
    ];
    choice(argument, &choices)
}

pub(super) fn registration(argument: Option<&str>) -> Result<Fault, String> {
    let other = json!(["http://127.0.0.1:1/rewritten"]);
    let choices = [
        ("off", Fault::RegistrationOff),
        ("429", Fault::RegisterStatus(429)),
        ("forget", Fault::RegistrationForgotten),
        ("rewrite_redirects", Fault::RegistrationMember("redirect_uris".into(), other)),
    ];
    choice(argument, &choices)
}

pub(super) fn answer(argument: Option<&str>) -> Result<Fault, String> {
    let choices = [
        ("before_202", Fault::AnswerBefore202),
        ("never", Fault::AnswerLost),
        ("twice", Fault::AnswerTwice),
        ("unknown_id", Fault::AnswerUnknownId),
        ("pretty", Fault::AnswerLines("\n")),
        ("two_in_one", Fault::AnswerTwoInOne),
        ("crlf", Fault::AnswerLines("\r\n")),
        ("cr", Fault::AnswerLines("\r")),
    ];
    choice(argument, &choices)
}

pub(super) fn heartbeat(argument: Option<&str>) -> Result<Fault, String> {
    if argument == Some("off") {
        return Ok(Fault::Heartbeat(None));
    }
    number(argument).map(|it| Fault::Heartbeat(Some(Duration::from_secs_f64(it))))
}

pub(super) fn initialize(argument: Option<&str>) -> Result<Fault, String> {
    let choices = [
        ("-32020", Fault::InitializeRefused(-32020)),
        ("-32022", Fault::InitializeRefused(-32022)),
        ("-32601", Fault::InitializeRefused(-32601)),
    ];
    choice(argument, &choices)
}

pub(super) fn listen(argument: Option<&str>) -> Result<Fault, String> {
    let choices = [
        ("no_ack", ListenFlaw::NoAcknowledgement),
        ("late_ack", ListenFlaw::Early),
        ("untagged", ListenFlaw::Untagged),
        ("wrong_tag", ListenFlaw::WrongTag),
        ("unasked", ListenFlaw::Unasked),
        ("unknown", ListenFlaw::Unknown),
    ];
    choice(argument, &choices.map(|(name, flaw)| (name, Fault::Listen(flaw))))
}

/// The definition of a tool: a name, and a schema that may be anything.
pub(super) fn extra_tool(argument: Option<&str>) -> Result<Fault, String> {
    let tool: Value = serde_json::from_str(&text(argument)?).map_err(|it| it.to_string())?;
    let named = tool.get("name").is_some_and(Value::is_string);
    named.then_some(Fault::ExtraTool(tool)).ok_or("expected an object with `name`".into())
}

pub(super) fn versions(argument: Option<&str>) -> Result<Fault, String> {
    let text = text(argument)?;
    Ok(Fault::UnsupportedVersion(text.split(',').map(|it| it.trim().to_owned()).collect()))
}

/// `\e` stands for ESC, `\a` for BEL.
pub(super) fn tool_error(argument: Option<&str>) -> Fault {
    let text = argument.unwrap_or("\\e[31mred\\e[0m \\e]0;title\\a");
    Fault::ToolError(text.replace("\\e", "\u{1b}").replace("\\a", "\u{7}"))
}

pub(super) fn server(member: &str, value: Value) -> Fault {
    Fault::ServerMetadata(member.to_owned(), value)
}

pub(super) fn issued(member: &str, argument: Option<&str>) -> Result<Fault, String> {
    Ok(Fault::TokenMember(member.to_owned(), raw(&text(argument)?)))
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, help};

    /// People look a fault up where it is described, so every one is, in the same words.
    #[test]
    fn the_docs_have_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mock-gateway.md");
        let docs = std::fs::read_to_string(path).unwrap();
        let expected = help(true);
        assert!(docs.contains(&expected), "put this into {path}:\n{expected}");
    }

    #[test]
    fn names_are_unique_and_every_fault_is_tested() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mock/tests");
        let texts: String = std::fs::read_dir(folder)
            .unwrap()
            .map(|it| std::fs::read_to_string(it.unwrap().path()).unwrap())
            .collect();
        for (at, entry) in ENTRIES.iter().enumerate() {
            let name = entry.name;
            assert!(!ENTRIES[..at].iter().any(|it| it.name == name), "{name} is there twice");
            let orders = [
                format!("\"{name}\""),
                format!("\"{name}="),
                format!("\"{name}#"),
                format!("\"{name}@"),
            ];
            assert!(orders.iter().any(|it| texts.contains(it)), "{name} has no test");
        }
    }
}
