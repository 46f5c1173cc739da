//! What a server says back to people may repeat a secret that it was given.

use std::borrow::Cow;

use super::event::{Effect, Notice};
use super::failure::Failure;
use super::oauth::failure::SignInFailure;

/// Shorter values would be found in the middle of any word; they are no secrets.
const SHORTEST: usize = 4;
/// The same for a part of a value: what follows `Bearer` is one, `en` of a language list is none.
const SHORTEST_PART: usize = 8;

/// What must not be shown.
#[derive(Debug, Default)]
pub(super) struct Hidden<'a>(Vec<Cow<'a, str>>);

impl<'a> Hidden<'a> {
    /// Hides a value and the words that it is made of.
    pub(super) fn add(&mut self, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        let words = value.split_whitespace().filter(|word| SHORTEST_PART <= word.len());
        let words: Vec<_> = words.map(|word| Cow::Owned(word.to_owned())).collect();
        if SHORTEST <= value.len() {
            self.0.push(value);
        }
        self.0.extend(words);
    }

    /// Hides them in what people and hosts will read.
    pub(super) fn hide_in(&self, effect: &mut Effect) {
        match effect {
            Effect::Fail(_, failure) => self.failure(failure),
            Effect::Tell(notice) => match notice {
                Notice::Failed(failure) => self.failure(failure),
                Notice::Connected(_, Some(text))
                | Notice::NoBrowser(text)
                | Notice::Reconnect { cause: text, .. }
                | Notice::Detail(text)
                | Notice::Warning(text) => self.text(text),
                _ => {}
            },
            _ => {}
        }
    }

    fn failure(&self, failure: &mut Failure) {
        match failure {
            Failure::Unreachable { cause: text, .. }
            | Failure::Forbidden { reason: Some(text), .. }
            | Failure::Limited { reason: Some(text), .. }
            | Failure::Misbehaved { got: text, .. } => self.text(text),
            Failure::SignIn(failure) => match failure {
                SignInFailure::ServerMisbehaved { got: text, .. }
                | SignInFailure::Transient { cause: text, .. }
                | SignInFailure::Elsewhere { reason: text, .. } => self.text(text),
                SignInFailure::Refused { error, description, .. } => {
                    self.text(error);
                    if let Some(text) = description {
                        self.text(text);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn text(&self, text: &mut String) {
        for value in &self.0 {
            if text.contains(value.as_ref()) {
                *text = text.replace(value.as_ref(), "…");
            }
        }
    }
}
