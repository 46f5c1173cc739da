//! What stands in a host's configuration for one server.

use std::fmt;

use url::Url;

use super::host::Shape;
use super::value::Value;
use crate::secret::Secret;

/// An entry, whatever the host.
#[derive(Clone)]
pub struct Entry {
    /// The name of the server in the host.
    pub name: String,
    /// The absolute path of this program.
    pub program: String,
    /// What follows it.
    pub args: Vec<String>,
    /// Variables that the host sets; their values may be credentials.
    pub env: Vec<(String, Secret)>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Entry {
    /// The entry as a host of that shape reads it.
    pub(super) fn value(&self, shape: Shape) -> Value {
        let member = |name: &str, value| (name.to_owned(), value);
        let mut members = Vec::new();
        match shape {
            Shape::Plain | Shape::Switched | Shape::Codex => {}
            Shape::Typed => members.push(member("type", Value::text("stdio"))),
            Shape::Zed => members.push(member("source", Value::text("custom"))),
            Shape::Goose => {
                members.push(member("name", Value::text(&*self.name)));
                members.push(member("type", Value::text("stdio")));
            }
        }
        members.push(member(shape.program_key(), Value::text(&*self.program)));
        members.push(member("args", Value::texts(&self.args)));
        if !self.env.is_empty() {
            let env = self.env.iter();
            let env = env.map(|(name, value)| member(name, Value::text(value.expose())));
            let key = if shape == Shape::Goose { "envs" } else { "env" };
            members.push(member(key, Value::Object(env.collect())));
        }
        match shape {
            Shape::Plain | Shape::Typed | Shape::Zed => {}
            Shape::Switched => members.push(member("disabled", Value::Flag(false))),
            Shape::Codex => members.push(member("startup_timeout_sec", Value::Number(60))),
            Shape::Goose => {
                members.push(member("enabled", Value::Flag(true)));
                members.push(member("timeout", Value::Number(300)));
            }
        }
        Value::Object(members)
    }
}

/// The name for a server that nobody has named: `apexmcp` for `mcp.apexmcp.ai`.
pub fn suggested_name(server: &Url) -> String {
    let host = server.domain().unwrap_or("mcp");
    let host = ["mcp.", "www.", "api."].iter().find_map(|start| host.strip_prefix(start));
    let host = host.or(server.domain()).unwrap_or("mcp");
    let label = host.split('.').next().unwrap_or_default();
    if valid_name(label) { label.to_owned() } else { "mcp".to_owned() }
}

/// What every host takes as a name: letters, digits, `-` and `_`. Hosts put the name before the
/// names of the tools, which are 64 characters at most.
pub fn valid_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 32 && name.chars().all(is_plain)
}
