//! The envelope of a JSON-RPC message, borrowed from its bytes.
//!
//! Only the members that decide where a message goes are read; everything else stays the text
//! that the sender wrote (JSON-RPC 2.0 §4, §5).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
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
}

impl Id {
    /// The id as JSON.
    pub fn to_json(&self) -> String {
        match self {
            Self::Number(text) => text.to_string(),
            Self::String(text) => serde_json::Value::from(text.as_ref()).to_string(),
        }
    }

    /// The id in this JSON, if it is one.
    pub fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        match text.as_bytes().first()? {
            b'"' => Some(Self::String(serde_json::from_str::<String>(text).ok()?.into())),
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
    let head: Head<'_> =
        serde_json::from_str(text).map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
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
    match (head.id, id) {
        (Some(_), Some(id)) => Ok(Message::Request { id, method, params: head.params }),
        // An id of null or of another type: no answer could be matched.
        (Some(_), None) => Err(Malformed::NotRpc(None)),
        (None, _) => Ok(Message::Notification { method, params: head.params }),
    }
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

struct Head<'a> {
    id: Option<&'a RawValue>,
    method: Option<Cow<'a, str>>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    has_error: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Head<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

struct HeadVisitor;

/// Borrows where the text has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut head =
            Head { id: None, method: None, params: None, result: None, has_error: false };
        // Of members that are there twice the last one counts, as in most JSON readers.
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "id" => head.id = Some(map.next_value()?),
                "method" => {
                    let raw: &'de RawValue = map.next_value()?;
                    let text: Text<'de> =
                        serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
                    head.method = Some(text.0);
                }
                "params" => head.params = Some(map.next_value()?),
                "result" => head.result = Some(map.next_value()?),
                "error" => {
                    let raw: &'de RawValue = map.next_value()?;
                    head.has_error = raw.get() != "null";
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests;
