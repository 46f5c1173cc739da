//! The envelope of a JSON-RPC message, borrowed from its bytes.
//!
//! Only the members that decide where a message goes are read; everything else stays the text
//! that the sender wrote (JSON-RPC 2.0 §4, §5).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What one line or one body holds.
#[derive(Debug)]
pub enum Frame<'a> {
    /// One message.
    Single(Message<'a>),
    /// A batch (JSON-RPC 2.0 §6), its members still unread.
    Batch(Vec<&'a RawValue>),
}

/// One message, by what it asks of the receiver.
#[derive(Debug)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// What the answer will be matched by.
        id: Id,
        /// The method's name.
        method: Cow<'a, str>,
        /// The text of `params`.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notification {
        /// The method's name.
        method: Cow<'a, str>,
        /// The text of `params`.
        params: Option<&'a RawValue>,
    },
    /// Is one.
    Response {
        /// The request that it answers; `None`: the sender could not tell.
        id: Option<Id>,
        /// The text of `result`; `None` for an error.
        result: Option<&'a RawValue>,
    },
}

/// A request id, compared by value: `1` and `"1"` differ, `"a"` and `"\u0061"` do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// A number, as its text.
    Number(Box<str>),
    /// A string, unescaped.
    String(Box<str>),
    /// A string that is no text, because half of a surrogate pair is missing: as JSON, with one
    /// spelling for each value.
    Unpaired(Box<str>),
}

impl Id {
    /// The id as JSON.
    pub fn to_json(&self) -> String {
        match self {
            Self::Number(text) | Self::Unpaired(text) => text.to_string(),
            Self::String(text) => serde_json::Value::from(text.as_ref()).to_string(),
        }
    }

    /// The id in this JSON, if it is one.
    pub fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        match text.as_bytes().first()? {
            b'"' => Some(match String::from_utf8(unescaped(text)?.into_owned()) {
                Ok(text) => Self::String(text.into()),
                Err(error) => Self::Unpaired(escaped(error.as_bytes()).into()),
            }),
            b'-' | b'0'..=b'9' => Some(Self::Number(text.into())),
            _ => None,
        }
    }
}

/// Why some bytes are no JSON-RPC message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON, or not UTF-8.
    NotJson,
    /// JSON, but neither request, notification, response nor batch. Holds the id where one could
    /// be read, so that the sender can be told.
    NotRpc(Option<Id>),
}

/// Reads the envelope of `bytes`.
pub fn read(bytes: &[u8]) -> Result<Frame<'_>, Malformed> {
    // serde_json does not look inside the strings that it skips.
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::NotJson)?;
    match text.trim_start().as_bytes().first() {
        Some(b'{') => read_object(text).map(Frame::Single),
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(members) if members.is_empty() => Err(Malformed::NotRpc(None)),
            Ok(members) => Ok(Frame::Batch(members)),
            Err(_) => Err(Malformed::NotJson),
        },
        Some(_) if serde_json::from_str::<IgnoredAny>(text).is_ok() => Err(Malformed::NotRpc(None)),
        _ => Err(Malformed::NotJson),
    }
}

/// Reads the envelope of one message.
pub fn read_object(text: &str) -> Result<Message<'_>, Malformed> {
    let head = Head::read(text).map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Malformed::NotRpc(None),
        Err(_) => Malformed::NotJson,
    })?;
    let id = head.id.and_then(Id::read);
    let Some(method) = head.method else {
        return match (head.result, head.has_error) {
            // A peer that writes both means the one that is not null.
            (Some(result), error) if !error || result.get() != "null" => {
                Ok(Message::Response { id, result: Some(result) })
            }
            (_, true) => Ok(Message::Response { id, result: None }),
            _ => Err(Malformed::NotRpc(id)),
        };
    };
    let Some(method) = name(method) else { return Err(Malformed::NotRpc(id)) };
    match (head.id, id) {
        (Some(_), Some(id)) => Ok(Message::Request { id, method, params: head.params }),
        // An id of null or of another type: no answer could be matched.
        (Some(_), None) => Err(Malformed::NotRpc(None)),
        (None, _) => Ok(Message::Notification { method, params: head.params }),
    }
}

/// The id of a request of which only the beginning is there, if it stands in it.
pub fn id_at_beginning(bytes: &[u8]) -> Option<Id> {
    let text = bytes.utf8_chunks().next()?.valid();
    let mut head = Head::default();
    // It ends in the middle, so this cannot be but an error.
    head.fill(text).ok();
    head.method?;
    // Digits at the very end may go on.
    let end = text.as_bytes().as_ptr_range().end;
    let id = head.id.filter(|id| id.get().as_bytes().as_ptr_range().end < end)?;
    Id::read(id)
}

/// The messages of bytes that hold more than one of them, one behind the other.
pub fn several(bytes: &[u8]) -> Option<Vec<&RawValue>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let messages = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let messages: Vec<_> = messages.collect::<Result<_, _>>().ok()?;
    (1 < messages.len()).then_some(messages)
}

/// The id of what would be an answer if it were JSON, as far as that can be told.
pub fn id_of_answer(bytes: &[u8]) -> Option<Id> {
    // Control characters, which stand in for bytes that are no text, are the usual reason.
    let cleaned: Vec<u8> = bytes.iter().map(|byte| (*byte).max(b' ')).collect();
    let text = std::str::from_utf8(&cleaned).ok()?;
    let mut head = Head::default();
    // It is read up to where it is no JSON.
    head.fill(text).ok();
    if head.method.is_some() {
        return None;
    }
    head.id.and_then(Id::read)
}

/// The bytes as one line: the line breaks between tokens become blanks.
///
/// A raw line break cannot stand inside a JSON string, so no value changes. Bytes without one are
/// returned as they are.
pub fn one_line(bytes: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &bytes).is_none() {
        return bytes;
    }
    bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

#[derive(Default)]
struct Head<'a> {
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    has_error: bool,
}

impl<'a> Head<'a> {
    fn read(text: &'a str) -> serde_json::Result<Self> {
        let mut head = Self::default();
        head.fill(text)?;
        Ok(head)
    }

    /// Keeps what was read before an error.
    fn fill(&mut self, text: &'a str) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(Members(self))?;
        json.end()
    }
}

struct Members<'h, 'a>(&'h mut Head<'a>);

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(head) = self;
        // Of members that are there twice the last one counts, as in most JSON readers. A name is
        // read as it stands: it need not be text.
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            match name(key).as_deref() {
                Some("id") => head.id = Some(map.next_value()?),
                Some("method") => head.method = Some(map.next_value()?),
                Some("params") => head.params = Some(map.next_value()?),
                Some("result") => head.result = Some(map.next_value()?),
                Some("error") => {
                    let raw: &'de RawValue = map.next_value()?;
                    head.has_error = raw.get() != "null";
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A name, for comparing; borrowed where the text has no escapes. What is no string has none.
fn name(raw: &RawValue) -> Option<Cow<'_, str>> {
    Some(match unescaped(raw.get())? {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    })
}

/// The bytes of a JSON string; a lone surrogate becomes what no UTF-8 holds.
fn unescaped(text: &str) -> Option<Cow<'_, [u8]>> {
    struct Bytes;
    impl<'de> Visitor<'de> for Bytes {
        type Value = Cow<'de, [u8]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(bytes))
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(Cow::Owned(bytes.to_owned()))
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_bytes(Bytes).ok()
}

/// The JSON of a string with lone surrogates.
fn escaped(bytes: &[u8]) -> String {
    let mut json = String::from("\"");
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        let valid = serde_json::Value::from(chunk.valid()).to_string();
        json.push_str(valid.get(1..valid.len() - 1).unwrap_or_default());
        rest = rest.get(chunk.valid().len()..).unwrap_or_default();
        if let [0xed, second, third, after @ ..] = rest {
            let low = u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f);
            json.push_str(&format!("\\u{:04x}", 0xd000 | low));
            rest = after;
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests;
