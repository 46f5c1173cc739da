//! What an entry is made of, whatever the file's format.

use std::fmt;

/// A value of a member.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// An array.
    List(Vec<Self>),
    /// Members, in order.
    Object(Vec<(String, Self)>),
    /// Something that no entry of ours has.
    Other,
}

/// Credentials stand in such values.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Flag(_) => "Flag",
            Self::Number(_) => "Number",
            Self::List(_) => "List(…)",
            Self::Object(_) => "Object(…)",
            Self::Other => "Other",
        })
    }
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn texts<T: Into<String> + Clone>(texts: &[T]) -> Self {
        Self::List(texts.iter().cloned().map(Self::text).collect())
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        Some(text)
    }

    /// The strings, if it is an array of nothing else.
    pub fn as_texts(&self) -> Option<Vec<&str>> {
        let Self::List(values) = self else { return None };
        values.iter().map(Self::as_text).collect()
    }

    /// Whether everything in `wanted` is here too. What hosts and people add to an entry (an
    /// approval, a limit) is no difference.
    pub(super) fn covers(&self, wanted: &Self) -> bool {
        match wanted {
            Self::Object(members) => members
                .iter()
                .all(|(name, value)| self.member(name).is_some_and(|found| found.covers(value))),
            _ => self == wanted,
        }
    }
}
