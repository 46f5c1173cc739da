//! Puts any argument list into an order that clap accepts; the flags and their arity are clap's.
//!
//! A host's configuration must not break, so:
//! - Flags and words stand in any order; of a repeated single-valued flag the first one counts.
//! - What begins with `--` and a letter is never the value of the flag before it.
//! - An unknown flag is skipped, with the word after it unless that word must be the server (see
//!   `words`).
//! - A switch may have `=true` or `=false`, and a value that a bundle left empty is not given.
//! - `--header "X:" "v"` is one header that a host has split at a blank, unless `v` must be the
//!   server.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::environment::is_set;
use super::headers;
use super::words::{Place, Word, has_scheme, is_number};

/// The arguments, taken apart.
#[derive(Default)]
pub(super) struct Sorted {
    /// Known flags; each one that is not repeatable at most once.
    pub(super) flags: Vec<Given>,
    /// Everything else, in order.
    pub(super) words: Vec<Word>,
    /// What to tell the user.
    pub(super) warnings: Vec<String>,
    /// Flags that nobody knows; `-…` where it could be a credential.
    pub(super) unknown: Vec<String>,
}

/// A known flag as the user gave it.
pub(super) struct Given {
    /// The name without dashes.
    pub(super) name: String,
    /// `None` for a switch.
    pub(super) value: Option<String>,
}

/// Sorts `args` by the flags of `command`.
pub(super) fn sort(args: Vec<String>, command: &Command) -> Sorted {
    let mut walk = Walk { command, unknown: BTreeSet::new(), sorted: Sorted::default() };
    let mut rest = args.into_iter().peekable();
    if let Some(word) = rest.next_if(|first| !first.starts_with('-')) {
        walk.word(word, Place::First);
    }
    while let Some(token) = rest.next() {
        if token == "--" {
            rest.by_ref().for_each(|word| walk.word(word, Place::Free));
        } else if token.len() > 1 && token.starts_with('-') {
            walk.flag(&token, &mut rest);
        } else {
            walk.word(token, Place::Free);
        }
    }
    walk.sorted
}

type Rest = Peekable<vec::IntoIter<String>>;

struct Walk<'a> {
    command: &'a Command,
    unknown: BTreeSet<String>,
    sorted: Sorted,
}

impl<'a> Walk<'a> {
    fn word(&mut self, text: String, place: Place) {
        if is_set(&text) {
            self.sorted.words.push(Word { text, place });
        }
    }

    fn warn(&mut self, warning: String) {
        self.sorted.warnings.push(warning);
    }

    fn flag(&mut self, token: &str, rest: &mut Rest) {
        let (flag, inline) = match token.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (token, None),
        };
        let Some(known) = self.known(flag) else {
            return self.unknown(flag, inline.is_some(), rest);
        };
        if matches!(known.get_action(), ArgAction::SetTrue) {
            return self.switch(known, inline.as_deref());
        }
        let value = inline.or_else(|| rest.next_if(|next| !is_flag(next)));
        let n_given = self.sorted.flags.len();
        self.value(known, value);
        if known.get_long() == Some("header") && n_given < self.sorted.flags.len() {
            self.mend_header(n_given, rest);
        }
    }

    /// The flag of that spelling; not `--help` and `--version`, which never come here.
    fn known(&self, flag: &str) -> Option<&'a Arg> {
        let name = flag.strip_prefix("--")?;
        self.command
            .get_arguments()
            .filter(|arg| !matches!(arg.get_action(), ArgAction::HelpLong | ArgAction::Version))
            .find(|arg| arg.get_long() == Some(name))
    }

    fn switch(&mut self, known: &Arg, inline: Option<&str>) {
        match inline {
            None | Some("true") => self.give(known, None),
            Some("false") => {}
            Some(text) if !is_set(text) => {}
            Some(_) => {
                self.warn(format!("`--{}` takes no value; the value is ignored", known.get_id()));
                self.give(known, None);
            }
        }
    }

    fn value(&mut self, known: &Arg, value: Option<String>) {
        let name = known.get_long().unwrap_or_default();
        match value {
            None => self.warn(format!("`--{name}` needs a value and is ignored")),
            Some(value) if is_set(&value) || (name == "header" && value.contains(':')) => {
                self.give(known, Some(value));
            }
            // Here it leaves the parameter out; everywhere else empty is not given.
            Some(value) if name == "resource" && value.trim().is_empty() => {
                self.give(known, Some(value));
            }
            Some(_) => {}
        }
    }

    fn give(&mut self, known: &Arg, value: Option<String>) {
        let name = known.get_long().unwrap_or_default();
        let again = self.sorted.flags.iter().any(|given| given.name == name);
        if again && matches!(known.get_action(), ArgAction::Set) {
            self.warn(format!("`--{name}` is given more than once; the first one counts"));
        } else if !again || value.is_some() {
            self.sorted.flags.push(Given { name: name.to_owned(), value });
        }
    }

    /// Notes the words after this `--header`, whose value a host may have split off.
    fn mend_header(&mut self, header: usize, rest: &mut Rest) {
        let given = self.sorted.flags.get(header).and_then(|given| given.value.clone());
        let mut text = given.unwrap_or_default();
        let is_key = text.split_once(':').is_some_and(|(name, _)| headers::is_sensitive(name));
        while headers::lacks_value(&text) {
            let Some(word) = rest.next_if(|next| !next.starts_with("--")) else { return };
            if !is_set(&word) {
                return;
            }
            text = format!("{text} {word}");
            // A key is no address, and the name of a scheme is no value yet.
            let is_part = is_number(&word) || headers::lacks_value(&text);
            let may_be_server = !is_part && (!is_key || has_scheme(&word));
            self.word(word, Place::AfterHeader { header, may_be_server });
        }
    }

    fn unknown(&mut self, flag: &str, has_value: bool, rest: &mut Rest) {
        if self.unknown.insert(flag.to_owned()) {
            let shown = if is_name(flag) { flag } else { "-…" };
            self.sorted.unknown.push(shown.to_owned());
            self.warn(describe_unknown(self.command, flag));
        }
        if !has_value && let Some(word) = rest.next_if(|next| !next.starts_with('-')) {
            self.word(word, Place::AfterUnknown);
        }
    }
}

/// `--` and a letter: never the value of the flag before it.
fn is_flag(text: &str) -> bool {
    text == "--"
        || text.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic()))
}

fn is_name(flag: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    flag.len() <= LONGEST_FLAG && flag.chars().all(is_plain)
}

fn describe_unknown(command: &Command, flag: &str) -> String {
    // Something else than a flag could be a credential: not repeated.
    if !is_name(flag) {
        return "an argument that begins with `-` is not a known flag and is skipped".to_owned();
    }
    let suggestion = command.clone().try_get_matches_from(["", flag]).err().and_then(|error| {
        match error.get(ContextKind::SuggestedArg)? {
            ContextValue::String(flag) => Some(format!("; did you mean `{flag}`?")),
            _ => None,
        }
    });
    format!("`{flag}` is not a known flag and is skipped{}", suggestion.unwrap_or_default())
}

/// Longer than every flag of any MCP bridge, shorter than a token.
const LONGEST_FLAG: usize = 40;
