//! The members of a JSON object as text: some are looked at or replaced, the others stay as they
//! were written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::jsonrpc::Id;

/// The members of an object in the order in which they stand; names and values are JSON.
#[derive(Clone, Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    /// The members of the object in this text; `None` if it is no object.
    pub fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value of this name. Of members that are there twice the last one counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| is(key, name)).map(|(_, value)| value.as_ref())
    }

    /// The value of this name, if it is a string.
    pub fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// The value of this name, if it is a request's id.
    pub fn id(&self, name: &str) -> Option<Id> {
        Id::read(serde_json::from_str(self.get(name)?).ok()?)
    }

    /// The object of this name.
    pub fn object(&self, name: &str) -> Option<Members<'_>> {
        Members::read(self.get(name)?)
    }

    /// Gives a name this value, in the place of the old one or at the end.
    pub fn set(&mut self, name: &str, json: impl Into<Cow<'a, str>>) {
        let json = json.into();
        match self.0.iter_mut().rev().find(|(key, _)| is(key, name)) {
            Some((_, value)) => *value = json,
            None => self.0.push((quoted(name).into(), json)),
        }
    }

    /// Takes a name away, however often it is there.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !is(key, name));
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names, unescaped, and values. A name that is no text is left out.
    pub fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().filter_map(|(key, value)| {
            serde_json::from_str::<String>(key).ok().map(|name| (name, value.as_ref()))
        })
    }

    /// The object as JSON.
    pub fn write(&self) -> String {
        let length: usize = self.0.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
        let mut text = String::with_capacity(length + 2);
        text.push('{');
        for (index, (key, value)) in self.0.iter().enumerate() {
            if 0 < index {
                text.push(',');
            }
            text.push_str(key);
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                // A name is read as it stands: it need not be text.
                while let Some((key, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
                    members.push((key.get().into(), value.get().into()));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Self)
    }
}

/// A string as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Something of our own as JSON; it holds nothing that cannot be written.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whether a name in JSON is this one.
fn is(key: &str, name: &str) -> bool {
    if key.contains('\\') {
        return serde_json::from_str::<String>(key).is_ok_and(|key| key == name);
    }
    key.get(1..key.len().saturating_sub(1)) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_stays_as_it_was_written() {
        let text = r#"{"a":1.0,"a\u0062":[ 1e400 ],"\ud800":2,"a":0.10}"#;
        let mut members = Members::read(text).unwrap();
        assert_eq!(members.write(), text);
        assert_eq!(members.get("a"), Some("0.10"));
        assert_eq!(members.get("ab"), Some("[ 1e400 ]"));
        members.set("ab", "true");
        members.set("new\n", "null");
        members.remove("a");
        assert_eq!(members.write(), r#"{"a\u0062":true,"\ud800":2,"new\n":null}"#);
        assert!(Members::read("[]").is_none() && Members::read("{}").unwrap().is_empty());
    }
}
