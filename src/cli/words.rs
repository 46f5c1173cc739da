//! Which words are the server, the port, a verb, or the rest of a split header.

use std::collections::BTreeSet;

use super::{Misuse, install, verbs};

/// An argument that is not a flag.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Place,
}

/// What a word follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing at all: it is the first argument, where mcp-remote wants the server.
    First,
    /// Nothing that could own it.
    Free,
    /// An unknown flag, which may take a value.
    AfterUnknown,
    /// A `--header` that lacks a value.
    AfterHeader {
        /// Its index among the given flags.
        header: usize,
        /// Whether the word may be the server if nothing else is.
        may_be_server: bool,
    },
}

impl Place {
    fn is_free(self) -> bool {
        matches!(self, Self::First | Self::Free)
    }
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
    /// What to say if no verb stands before these words.
    pub(super) mistyped: Option<Misuse>,
}

/// Chooses the server, and what the other words are once it is known.
pub(super) fn choose(mut words: Vec<Word>) -> Result<Chosen, Misuse> {
    let first = words.iter().position(|word| word.place.is_free());
    let mut verbs_allowed = false;
    if let Some(index) = first
        && words.get(index).is_some_and(|word| word.text == "run")
    {
        let Word { place, .. } = words.remove(index);
        if let Some(next) = words.get_mut(index).filter(|next| next.place.is_free()) {
            next.place = place;
        }
        verbs_allowed = true;
    } else if let Some(word) = first.and_then(|index| words.get(index)) {
        refuse_verb(&word.text)?;
    }
    let first_word = words.first().filter(|word| word.place == Place::First);
    let first_word = first_word.map(|word| word.text.clone());
    let mut chosen = Chosen::default();
    if let Some(index) = server(&words)? {
        let server = words.remove(index).text;
        if !verbs_allowed {
            refuse_verb(&server)?;
        }
        chosen.server = Some(server);
    }
    if let (Some(first), false) = (first_word, verbs_allowed) {
        let is_server = chosen.server.as_ref() == Some(&first);
        let more = words.iter().find(|word| word.place.is_free());
        let is_port = more.is_none_or(|word| is_number(&word.text));
        chosen.mistyped = (!is_server || !is_port).then(|| mistyped(&first)).flatten();
    }
    for word in words {
        match word.place {
            Place::First | Place::Free if chosen.port.is_none() => chosen.port = Some(word.text),
            Place::First | Place::Free => chosen.n_ignored += 1,
            Place::AfterUnknown => {}
            Place::AfterHeader { header, .. } => chosen.header_parts.push((header, word.text)),
        }
    }
    Ok(chosen)
}

/// The one word that is the server.
///
/// What it gets may include a key. So where two words could be it, and none of them is the first
/// argument, nothing is guessed.
fn server(words: &[Word]) -> Result<Option<usize>, Misuse> {
    let indices = |which: &dyn Fn(&Word) -> bool| -> Vec<usize> {
        let found = words.iter().enumerate().filter(|(_, word)| which(word));
        found.map(|(index, _)| index).collect()
    };
    let url = |word: &Word| has_scheme(&word.text);
    let name = |word: &Word| !is_number(&word.text);
    let free = |word: &Word| word.place.is_free();
    let after_unknown = |word: &Word| word.place == Place::AfterUnknown;
    let after_header =
        |word: &Word| matches!(word.place, Place::AfterHeader { may_be_server: true, .. });
    let header_url = |word: &Word| after_header(word) && url(word);
    let sorts: [Vec<usize>; 4] = [
        indices(&|word| free(word) && url(word)),
        indices(&|word| (free(word) && name(word)) || (after_unknown(word) && url(word))),
        indices(&|word| after_unknown(word) && name(word)),
        indices(&after_header),
    ];
    let Some(candidates) = sorts.into_iter().find(|found| !found.is_empty()) else {
        return Ok(words.iter().position(free));
    };
    let word = |index: &usize| words.get(*index);
    let is_first = |index: &&usize| word(index).is_some_and(|word| word.place == Place::First);
    if let Some(index) = candidates.iter().find(is_first) {
        return Ok(Some(*index));
    }
    let owned = candidates.iter().filter_map(word).any(after_unknown);
    let texts: BTreeSet<_> = candidates.iter().filter_map(word).map(|word| &word.text).collect();
    // The value of an unknown flag against the value of a header: the server could be either.
    if 1 < texts.len() || (owned && words.iter().any(header_url)) {
        return Err(Misuse::new("more than one argument could be the server")
            .hint("write the server first, and each header as one: `--header 'NAME: VALUE'`"));
    }
    Ok(candidates.first().copied())
}

fn refuse_verb(text: &str) -> Result<(), Misuse> {
    if verbs::is_verb(text) || install::is_verb(text) {
        return Err(Misuse::new(format!("`{text}` must be the first argument")).hint(format!(
            "write `apexmcp-bridge {text} …`; for an organisation of that name, \
             `apexmcp-bridge run {text}`"
        )));
    }
    if !VERBS.contains(&text) {
        return Ok(());
    }
    Err(Misuse::new(format!("`{text}` is not available in this version"))
        .hint(format!("for an organisation of that name, write `apexmcp-bridge run {text}`")))
}

/// Two words, and the first one no address: who typed them meant a verb. In the files of hosts
/// stands either an address, or an organisation's slug alone.
fn mistyped(first: &str) -> Option<Misuse> {
    if is_number(first) || !first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let verbs = verbs::names().chain(install::names());
    let hint = match similar(first, verbs) {
        Some(verb) => format!("did you mean `apexmcp-bridge {verb} …`?"),
        None => "`apexmcp-bridge --help` lists the verbs".to_owned(),
    };
    let error = Misuse::new("the first argument is no verb, and what follows it is no port");
    Some(error.hint(hint))
}

/// The name that somebody may have meant.
pub(super) fn similar(
    text: &str,
    mut names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    names.find(|name| is_nearly(&text, &name.chars().collect::<Vec<_>>()))
}

/// Whether two words are the same but for one letter, or for two that changed places.
fn is_nearly(one: &[char], other: &[char]) -> bool {
    let same = |(a, b): &(&char, &char)| a == b;
    let head = one.iter().zip(other).take_while(same).count();
    let (one, other) = (&one.get(head..), &other.get(head..));
    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
    match (one.get(..one.len() - tail), other.get(..other.len() - tail)) {
        (Some([a, b]), Some([c, d])) => (a, b) == (d, c),
        (Some(one), Some(other)) => one.len() < 2 && other.len() < 2,
        _ => false,
    }
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
const VERBS: &[&str] = &["doctor", "check", "mock", "completions", "man", "logs"];
