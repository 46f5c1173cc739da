//! The style of a JSON file: its line ends, its indentation, its trailing commas.

use jsonc_parser::ast::{self, Object};

use super::comma;
use crate::install::document::{Splice, line_end, line_start, line_stop};
use crate::install::value::Value;

/// How a file is written.
pub(super) struct Style<'a> {
    pub(super) text: &'a str,
    pub(super) eol: &'static str,
    /// One step of indentation.
    pub(super) unit: String,
}

impl<'a> Style<'a> {
    pub(super) fn of(text: &'a str, root: &ast::Value<'_>) -> Self {
        let first = root.as_object().and_then(|root| root.properties.first());
        let unit = first.and_then(|property| own_line(text, property.range.start));
        let unit = unit.filter(|unit| !unit.is_empty()).unwrap_or("  ").to_owned();
        Self { text, eol: line_end(text), unit }
    }

    /// Adds a member after the last one.
    pub(super) fn add(&self, object: &Object<'_>, name: &str, value: &Value) -> Vec<Splice> {
        let Some(last) = object.properties.last() else {
            return vec![self.fill(object, name, value)];
        };
        let comma = comma(self.text, last);
        let after = comma.map_or(last.range.end, |comma| comma + 1);
        // As the file has it: with a comma at the end, or without.
        let trailing = if comma.is_some() { "," } else { "" };
        let mut splices = Vec::new();
        if comma.is_none() {
            splices.push(Splice::insert(last.range.end, ","));
        }
        if let Some(indent) = own_line(self.text, last.range.start) {
            let at = line_tail(self.text, after).unwrap_or(after);
            let member = self.member(name, value, indent);
            splices.push(Splice::insert(at, format!("{}{indent}{member}{trailing}", self.eol)));
        } else {
            let member = format!("{}: {}", quoted(name), inline(value));
            splices.push(Splice::insert(after, format!(" {member}{trailing}")));
        }
        splices
    }

    /// Adds the first member.
    fn fill(&self, object: &Object<'_>, name: &str, value: &Value) -> Splice {
        let (start, end) = (object.range.start + 1, object.range.end - 1);
        let inner = self.text.get(start..end).unwrap_or_default();
        // Behind the comments that are there.
        let at = start + inner.trim_end().len();
        let outer = indentation(self.text, object.range.start);
        let indent = format!("{outer}{}", self.unit);
        let member = self.member(name, value, &indent);
        let is_open = self.text.get(at..end).is_some_and(|rest| rest.contains('\n'));
        let close = if is_open { String::new() } else { format!("{}{outer}", self.eol) };
        Splice::insert(at, format!("{}{indent}{member}{close}", self.eol))
    }

    fn member(&self, name: &str, value: &Value, indent: &str) -> String {
        format!("{}: {}", quoted(name), self.block(value, indent))
    }

    /// A value over as many lines as it has members; `indent` is that of its first line.
    pub(super) fn block(&self, value: &Value, indent: &str) -> String {
        match value {
            Value::Object(members) if !members.is_empty() => {
                let inner = format!("{indent}{}", self.unit);
                let lines: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{inner}{}", self.member(name, value, &inner)))
                    .collect();
                let eol = self.eol;
                format!("{{{eol}{}{eol}{indent}}}", lines.join(&format!(",{eol}")))
            }
            _ => inline(value),
        }
    }
}

/// A value on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(values) => {
            let values: Vec<_> = values.iter().map(inline).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(members) => {
            let member =
                |(name, value): &(String, Value)| format!("{}: {}", quoted(name), inline(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Other => "null".to_owned(),
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The indentation of what is the first thing in its line; `None` if something stands before it.
pub(super) fn own_line(text: &str, offset: usize) -> Option<&str> {
    let start = line_start(text, offset);
    let before = text.get(start..offset)?;
    (0 < start && before.trim().is_empty()).then_some(before)
}

/// The blanks at the beginning of the line.
pub(super) fn indentation(text: &str, offset: usize) -> &str {
    let line = text.get(line_start(text, offset)..offset).unwrap_or_default();
    let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..blanks).unwrap_or_default()
}

/// Where the line ends if nothing but a comment follows in it.
pub(super) fn line_tail(text: &str, from: usize) -> Option<usize> {
    let stop = line_stop(text, from);
    let mut rest = text.get(from..stop)?.trim_start();
    while let Some(comment) = rest.strip_prefix("/*") {
        rest = comment.split_once("*/")?.1.trim_start();
    }
    (rest.is_empty() || rest.starts_with("//")).then_some(stop)
}

/// The next thing that is neither blank nor comment.
pub(super) fn skip(text: &str, from: usize) -> usize {
    let mut rest = text.get(from..).unwrap_or_default();
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').and_then(|end| comment.get(end..)).unwrap_or_default();
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map(|(_, rest)| rest).unwrap_or_default();
        } else {
            return text.len() - rest.len();
        }
    }
}
