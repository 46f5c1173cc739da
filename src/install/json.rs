//! JSON, with the comments and trailing commas that hosts allow.
//!
//! The parser only says where things stand. What is written is put between the bytes that are
//! there, in their own style.

use std::collections::BTreeSet;
use std::ops::Range;

use jsonc_parser::ast::{self, Object, ObjectProp};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::document::{Broken, Splice, line_end};
use super::format::{Found, Substitute};
use super::value::Value;

mod style;

use style::{Style, line_tail, own_line, skip};

pub(super) fn entries(text: &str, path: &[String]) -> Result<Vec<Found>, Broken> {
    let root = parse(text)?;
    let Some(section) = section(text, root.as_ref(), path)? else { return Ok(Vec::new()) };
    let found = |property: &ObjectProp<'_>| Found {
        name: property.name.as_str().to_owned(),
        value: decode(&property.value),
    };
    Ok(section.properties.iter().map(found).collect())
}

/// The sections `key` inside of every member of `outer`.
pub(super) fn inner_sections(text: &str, outer: &str, key: &str) -> Vec<Vec<String>> {
    let Ok(Some(ast::Value::Object(root))) = parse(text) else { return Vec::new() };
    let Some(members) = root.get(outer).and_then(|property| property.value.as_object()) else {
        return Vec::new();
    };
    let has_key = |property: &&ObjectProp<'_>| {
        property.value.as_object().is_some_and(|inner| inner.get(key).is_some())
    };
    let path = |property: &ObjectProp<'_>| {
        vec![outer.to_owned(), property.name.as_str().to_owned(), key.to_owned()]
    };
    members.properties.iter().filter(has_key).map(path).collect()
}

pub(super) fn insert(
    text: &str,
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let Some(root) = parse(text)? else { return Ok(vec![whole(text, path, name, value)]) };
    let style = Style::of(text, &root);
    let mut object = as_object(text, &root)?;
    for (depth, key) in path.iter().enumerate() {
        let Some(property) = only(text, object, key)? else {
            let missing = path.get(depth + 1..).unwrap_or_default();
            let value = nested(missing, name, value);
            return Ok(style.add(object, key, &value));
        };
        object = as_object(text, &property.value)?;
    }
    Ok(style.add(object, name, value))
}

pub(super) fn replace(
    text: &str,
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let root = parse(text)?;
    let property = entry(text, root.as_ref(), path, name)?;
    let style = root.as_ref().map(|root| Style::of(text, root));
    let indent = own_line(text, property.range.start);
    let rendered = match (style, indent) {
        (Some(style), Some(indent)) => style.block(value, indent),
        _ => style::inline(value),
    };
    Ok(vec![Splice::replace(bytes(property.value.range()), rendered)])
}

pub(super) fn written(text: &str, path: &[String], name: &str) -> Result<String, Broken> {
    let root = parse(text)?;
    let property = entry(text, root.as_ref(), path, name)?;
    Ok(text.get(bytes(property.value.range())).unwrap_or_default().to_owned())
}

pub(super) fn put_back(
    text: &str,
    path: &[String],
    name: &str,
    written: &str,
) -> Result<Vec<Splice>, Broken> {
    let root = parse(text)?;
    let property = entry(text, root.as_ref(), path, name)?;
    Ok(vec![Splice::replace(bytes(property.value.range()), written)])
}

pub(super) fn remove(text: &str, path: &[String], name: &str) -> Result<Vec<Splice>, Broken> {
    let root = parse(text)?;
    entry(text, root.as_ref(), path, name)?;
    let Some(section) = section(text, root.as_ref(), path)? else { return Ok(Vec::new()) };
    let index = section.properties.iter().position(|property| property.name.as_str() == name);
    let Some((index, property)) =
        index.and_then(|index| Some((index, section.properties.get(index)?)))
    else {
        return Ok(Vec::new());
    };
    let comma = comma(text, property);
    let end = comma.map_or(property.range.end, |comma| comma + 1);
    let previous = index.checked_sub(1).and_then(|index| section.properties.get(index));
    let previous_comma = previous.and_then(|previous| self::comma(text, previous));
    let mut splices = Vec::new();
    // The last one of a list without a trailing comma takes the comma before it along.
    if let (None, Some(at)) = (comma, previous_comma) {
        splices.push(Splice::remove(at..at + 1));
    }
    let before = previous_comma.map_or(section.range.start, |comma| comma) + 1;
    splices.push(Splice::remove(removed(text, property.range.start, end, before)));
    Ok(splices)
}

pub(super) fn substitute(
    text: &str,
    path: &[String],
    name: &str,
    substitute: &Substitute<'_>,
) -> Result<Vec<Splice>, Broken> {
    let root = parse(text)?;
    let property = entry(text, root.as_ref(), path, name)?;
    let mut object = as_object(text, &property.value)?;
    let mut key = substitute.key;
    // An older form of Zed's.
    if let Some(inner) = object.get(key).and_then(|property| property.value.as_object()) {
        (object, key) = (inner, "path");
    }
    let missing = || Broken::at(text, property.range.start, "the entry has no program");
    let program = object.get(key).ok_or_else(missing)?;
    let mut splices =
        vec![Splice::replace(bytes(program.value.range()), style::quoted(substitute.program))];
    let args = object.get("args").and_then(|property| property.value.as_array());
    let elements = args.map(|args| &*args.elements).unwrap_or_default();
    if let (Some(first), Some(kept)) = (elements.first(), elements.get(substitute.n_gone)) {
        splices.push(Splice::remove(first.start()..kept.start()));
    }
    Ok(splices)
}

fn parse(text: &str) -> Result<Option<ast::Value<'_>>, Broken> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    parsed.map(|parsed| parsed.value).map_err(|error| {
        let reason = error.kind().to_string();
        let mut reason: String = reason.trim_end_matches('.').to_owned();
        if let Some(first) = reason.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Broken::at(text, error.range().start, reason)
    })
}

/// The section at `path`, if it is there.
fn section<'a>(
    text: &str,
    root: Option<&'a ast::Value<'a>>,
    path: &[String],
) -> Result<Option<&'a Object<'a>>, Broken> {
    let Some(root) = root else { return Ok(None) };
    let mut object = as_object(text, root)?;
    for key in path {
        let Some(property) = only(text, object, key)? else { return Ok(None) };
        object = as_object(text, &property.value)?;
    }
    let mut names = BTreeSet::new();
    for property in &object.properties {
        let name = property.name.as_str();
        if !names.insert(name) {
            return Err(twice(text, property, name));
        }
    }
    Ok(Some(object))
}

fn entry<'a>(
    text: &str,
    root: Option<&'a ast::Value<'a>>,
    path: &[String],
    name: &str,
) -> Result<&'a ObjectProp<'a>, Broken> {
    let section = section(text, root, path)?;
    let property = section.and_then(|section| section.get(name));
    property.ok_or_else(|| Broken::at(text, 0, format!("there is no `{name}`")))
}

fn as_object<'a>(text: &str, value: &'a ast::Value<'a>) -> Result<&'a Object<'a>, Broken> {
    value.as_object().ok_or_else(|| Broken::at(text, value.start(), "this is no object (`{…}`)"))
}

/// The member of that name. Where there are two, readers disagree about which one counts.
fn only<'a>(
    text: &str,
    object: &'a Object<'a>,
    name: &str,
) -> Result<Option<&'a ObjectProp<'a>>, Broken> {
    let mut found = object.properties.iter().filter(|property| property.name.as_str() == name);
    let first = found.next();
    match found.next() {
        Some(second) => Err(twice(text, second, name)),
        None => Ok(first),
    }
}

fn twice(text: &str, second: &ObjectProp<'_>, name: &str) -> Broken {
    Broken::at(text, second.range.start, format!("`{name}` stands here twice"))
}

fn decode(value: &ast::Value<'_>) -> Value {
    match value {
        ast::Value::StringLit(text) => Value::text(&*text.value),
        ast::Value::BooleanLit(flag) => Value::Flag(flag.value),
        ast::Value::NumberLit(number) => number.value.parse().map_or(Value::Other, Value::Number),
        ast::Value::Array(array) => Value::List(array.elements.iter().map(decode).collect()),
        ast::Value::Object(object) => {
            let member = |property: &ObjectProp<'_>| {
                (property.name.as_str().to_owned(), decode(&property.value))
            };
            Value::Object(object.properties.iter().map(member).collect())
        }
        ast::Value::NullKeyword(_) => Value::Other,
    }
}

/// A file that holds nothing yet but perhaps comments.
fn whole(text: &str, path: &[String], name: &str, value: &Value) -> Splice {
    let eol = line_end(text);
    let style = Style { text, eol, unit: "  ".to_owned() };
    let start = if text.is_empty() || text.ends_with('\n') { "" } else { eol };
    let rendered = style.block(&nested(path, name, value), "");
    Splice::insert(text.len(), format!("{start}{rendered}{eol}"))
}

/// `{ path: { name: value } }`.
fn nested(path: &[String], name: &str, value: &Value) -> Value {
    let mut value = Value::Object(vec![(name.to_owned(), value.clone())]);
    for key in path.iter().rev() {
        value = Value::Object(vec![(key.clone(), value)]);
    }
    value
}

/// Where the comma after a property stands.
fn comma(text: &str, property: &ObjectProp<'_>) -> Option<usize> {
    let at = skip(text, property.range.end);
    text.get(at..).is_some_and(|rest| rest.starts_with(',')).then_some(at)
}

/// What goes with a property: its own lines, where it has them. `before` is the end of what stands
/// before it.
fn removed(text: &str, start: usize, end: usize, before: usize) -> Range<usize> {
    if let Some(indent) = own_line(text, start) {
        let line = super::document::previous_stop(text, start - indent.len());
        // A comment behind it is somebody else's, and would come to stand behind another member.
        let is_alone = line_tail(text, end)
            .is_none_or(|tail| text.get(end..tail).is_some_and(|rest| rest.trim().is_empty()));
        return if is_alone { line..end } else { start..end };
    }
    let gap = text.get(before..start).unwrap_or("x");
    if gap.trim().is_empty() { before..end } else { start..end }
}

fn bytes(range: jsonc_parser::common::Range) -> Range<usize> {
    range.start..range.end
}
