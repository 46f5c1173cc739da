//! Which words are the server, the port, a verb, or the rest of a split header.

use super::{Misuse, verbs};

/// An argument that is not a flag.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Place,
}

/// What a word follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing that could own it.
    Free,
    /// An unknown flag, which may take a value.
    AfterUnknown,
    /// A `--header` that lacks a value: its index among the given flags.
    AfterHeader(usize),
}

/// What the words mean.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) server: Option<String>,
    pub(super) port: Option<String>,
    /// Words to append to the value of a `--header`, by its index among the given flags.
    pub(super) header_parts: Vec<(usize, String)>,
    /// How many words mean nothing.
    pub(super) n_ignored: usize,
}

/// Chooses the server, and what the other words are once it is known.
pub(super) fn choose(mut words: Vec<Word>) -> Result<Chosen, Misuse> {
    let first = words.iter().position(|word| word.place == Place::Free);
    let mut verbs_allowed = false;
    if let Some(index) = first
        && words.get(index).is_some_and(|word| word.text == "run")
    {
        words.remove(index);
        verbs_allowed = true;
    } else if let Some(word) = first.and_then(|index| words.get(index)) {
        refuse_verb(&word.text)?;
    }
    let mut chosen = Chosen::default();
    if let Some(index) = server(&words) {
        let server = words.remove(index).text;
        if !verbs_allowed {
            refuse_verb(&server)?;
        }
        chosen.server = Some(server);
    }
    for word in words {
        match word.place {
            Place::Free if chosen.port.is_none() => chosen.port = Some(word.text),
            Place::Free => chosen.n_ignored += 1,
            Place::AfterUnknown => {}
            Place::AfterHeader(index) => chosen.header_parts.push((index, word.text)),
        }
    }
    Ok(chosen)
}

/// The first word of the best sort that there is.
fn server(words: &[Word]) -> Option<usize> {
    let free = |word: &Word| word.place == Place::Free;
    let after_unknown = |word: &Word| word.place == Place::AfterUnknown;
    let after_header = |word: &Word| matches!(word.place, Place::AfterHeader(_));
    let sorts: [&dyn Fn(&Word) -> bool; 6] = [
        &|word| free(word) && has_scheme(&word.text),
        &|word| after_unknown(word) && has_scheme(&word.text),
        &|word| free(word) && !is_number(&word.text),
        &|word| after_unknown(word) && !is_number(&word.text),
        &|word| after_header(word) && !is_number(&word.text),
        &|word| free(word),
    ];
    sorts.iter().find_map(|sort| words.iter().position(sort))
}

fn refuse_verb(text: &str) -> Result<(), Misuse> {
    if verbs::is_verb(text) {
        return Err(Misuse::new(format!("`{text}` must be the first argument")).hint(format!(
            "write `apexmcp-bridge {text} …`; for an organization of that name, \
             `apexmcp-bridge run {text}`"
        )));
    }
    if !VERBS.contains(&text) {
        return Ok(());
    }
    Err(Misuse::new(format!("`{text}` is not available in this version"))
        .hint(format!("for an organization of that name, write `apexmcp-bridge run {text}`")))
}

/// An http or https URL, by its beginning.
pub(super) fn has_scheme(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Digits only: rather a port than a server.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words that later versions will understand; `run`, the bare form, is understood today.
const VERBS: &[&str] =
    &["doctor", "check", "install", "uninstall", "clients", "mock", "completions", "man", "logs"];
