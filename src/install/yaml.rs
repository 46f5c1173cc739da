//! YAML, as far as people and Goose write it: block mappings, lists and scalars.
//!
//! No writer is known that keeps comments, so lines are put between lines. What the outline does
//! not understand (anchors, tags, a second document) is refused, never guessed.

use std::ops::Range;

use super::document::{
    Broken, Splice, content_end, line_end, line_start, line_stop, previous_stop,
};
use super::format::{Found, Substitute};
use super::value::Value;

mod outline;

use outline::{Kind, Node, outline};

pub(super) fn entries(text: &str, path: &[String]) -> Result<Vec<Found>, Broken> {
    let nodes = outline(text)?;
    let Some(section) = section(text, &nodes, path)? else { return Ok(Vec::new()) };
    let found = |index: &usize| {
        let name = nodes.get(*index)?.key()?.to_owned();
        Some(Found { name, value: decode(text, &nodes, *index) })
    };
    Ok(section.entries.iter().filter_map(found).collect())
}

pub(super) fn insert(
    text: &str,
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let nodes = outline(text)?;
    let splices = added(text, &nodes, path, name, value)?;
    // A text over several lines that ends with the file.
    let grows =
        |splice: &Splice| nodes.iter().find(|node| node.end == splice.start() && node.grows(text));
    match splices.iter().find_map(grows) {
        Some(node) => Err(Broken::at(
            text,
            node.end,
            "a text ends here, and would get another line end; put something behind it",
        )),
        None => Ok(splices),
    }
}

fn added(
    text: &str,
    nodes: &[Node],
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let eol = line_end(text);
    let Some(section) = section(text, nodes, path)? else {
        let key = path.first().map(String::as_str).unwrap_or_default();
        let block = format!("{}:{eol}{}", scalar(key), block(name, value, "  ", eol));
        return Ok(vec![if text.trim().is_empty() {
            Splice::insert(text.len(), format!("{block}{eol}"))
        } else {
            Splice::insert(content_end(text), format!("{eol}{block}"))
        }]);
    };
    let Some(first) = section.entries.first().and_then(|index| nodes.get(*index)) else {
        // `extensions:`, `extensions: {}` or `extensions: null`.
        let block = format!("{eol}{}", block(name, value, "  ", eol));
        let empty = section.node.value.clone();
        if empty.is_empty() {
            return Ok(vec![Splice::insert(line_stop(text, empty.end), block)]);
        }
        let colon = text.get(..empty.start).unwrap_or_default().trim_end().len();
        let end = line_stop(text, empty.end);
        return Ok(vec![Splice::remove(colon..empty.end), Splice::insert(end, block)]);
    };
    let indent = " ".repeat(first.indent);
    let block = block(name, value, &indent, eol);
    Ok(vec![Splice::insert(section.end, format!("{eol}{block}"))])
}

pub(super) fn replace(
    text: &str,
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let nodes = outline(text)?;
    let (node, range) = entry(text, &nodes, path, name)?;
    let indent = " ".repeat(node.indent);
    Ok(vec![Splice::replace(range, block(name, value, &indent, line_end(text)))])
}

/// Without its indentation.
pub(super) fn written(text: &str, path: &[String], name: &str) -> Result<String, Broken> {
    let nodes = outline(text)?;
    let (node, range) = entry(text, &nodes, path, name)?;
    Ok(shifted(text.get(range).unwrap_or_default(), node.indent, ""))
}

pub(super) fn put_back(
    text: &str,
    path: &[String],
    name: &str,
    written: &str,
) -> Result<Vec<Splice>, Broken> {
    let nodes = outline(text)?;
    let (node, range) = entry(text, &nodes, path, name)?;
    Ok(vec![Splice::replace(range, shifted(written, 0, &" ".repeat(node.indent)))])
}

/// Lines with so many blanks fewer, and these in their place. Less indented ones are comments, or
/// blank.
fn shifted(block: &str, blanks: usize, indent: &str) -> String {
    let shift = |line: &str| {
        let own = line.len() - line.trim_start_matches(' ').len();
        let rest = line.get(own.min(blanks)..).unwrap_or_default();
        if rest.trim().is_empty() { rest.to_owned() } else { format!("{indent}{rest}") }
    };
    block.split('\n').map(shift).collect::<Vec<_>>().join("\n")
}

pub(super) fn remove(text: &str, path: &[String], name: &str) -> Result<Vec<Splice>, Broken> {
    let nodes = outline(text)?;
    let (_, range) = entry(text, &nodes, path, name)?;
    Ok(vec![Splice::remove(previous_stop(text, range.start)..range.end)])
}

pub(super) fn substitute(
    text: &str,
    path: &[String],
    name: &str,
    substitute: &Substitute<'_>,
) -> Result<Vec<Splice>, Broken> {
    let nodes = outline(text)?;
    let (node, _) = entry(text, &nodes, path, name)?;
    let index = nodes.iter().position(|other| std::ptr::eq(other, node)).unwrap_or_default();
    let member = |key: &str| {
        let members = children(&nodes, index);
        members.into_iter().find(|child| nodes.get(*child).and_then(Node::key) == Some(key))
    };
    let program = member(substitute.key).and_then(|index| nodes.get(index));
    let Some(program) = program.filter(|node| !node.value.is_empty()) else {
        return Err(Broken::at(text, node.line, "the entry has no program"));
    };
    let mut splices = vec![Splice::replace(program.value.clone(), scalar(substitute.program))];
    let Some(args) = member("args") else { return Ok(splices) };
    let listed = nodes.get(args).map(|node| node.value.clone()).unwrap_or_default();
    let starts: Vec<usize> = if listed.is_empty() {
        let items = children(&nodes, args).into_iter();
        items.filter_map(|item| nodes.get(item)).map(|item| line_start(text, item.line)).collect()
    } else {
        outline::flow_items(text, listed).into_iter().map(|item| item.start).collect()
    };
    if let (Some(first), Some(kept)) = (starts.first(), starts.get(substitute.n_gone)) {
        splices.push(Splice::remove(*first..*kept));
    }
    Ok(splices)
}

struct Section<'a> {
    node: &'a Node,
    /// The indices of its entries.
    entries: Vec<usize>,
    /// The end of its last line that is no comment.
    end: usize,
}

fn section<'a>(
    text: &str,
    nodes: &'a [Node],
    path: &[String],
) -> Result<Option<Section<'a>>, Broken> {
    let [key] = path else { return Ok(None) };
    let is_it = |(_, node): &(usize, &Node)| node.indent == 0 && node.key() == Some(key);
    let mut found = nodes.iter().enumerate().filter(is_it);
    let Some((index, node)) = found.next() else { return Ok(None) };
    if let Some((_, second)) = found.next() {
        return Err(Broken::at(text, second.line, format!("`{key}` stands here twice")));
    }
    let entries = children(nodes, index);
    let value = text.get(node.value.clone()).unwrap_or_default();
    if !matches!(value, "" | "{}" | "null" | "~") {
        return Err(Broken::at(
            text,
            node.value.start,
            "this is written inline, and would have to be rewritten",
        ));
    }
    let mut names = std::collections::BTreeSet::new();
    for child in entries.iter().filter_map(|index| nodes.get(*index)) {
        let Some(name) = child.key() else {
            return Err(Broken::at(text, child.line, format!("`{key}` is a list, expected names")));
        };
        if !names.insert(name) {
            return Err(Broken::at(text, child.line, format!("`{name}` stands here twice")));
        }
    }
    Ok(Some(Section { node, entries, end: extent(nodes, index) }))
}

/// An entry, and its lines without the last line end.
fn entry<'a>(
    text: &str,
    nodes: &'a [Node],
    path: &[String],
    name: &str,
) -> Result<(&'a Node, Range<usize>), Broken> {
    let entries = section(text, nodes, path)?.map(|section| section.entries).unwrap_or_default();
    let named = |index: &usize| nodes.get(*index).and_then(Node::key) == Some(name);
    let index = entries.into_iter().find(named);
    let Some((index, node)) = index.and_then(|index| Some((index, nodes.get(index)?))) else {
        return Err(Broken::at(text, 0, format!("there is no `{name}`")));
    };
    Ok((node, line_start(text, node.line)..extent(nodes, index)))
}

/// The nodes that are directly in this one.
fn children(nodes: &[Node], index: usize) -> Vec<usize> {
    let inner = index + 1..last(nodes, index) + 1;
    let Some(first) = nodes.get(inner.start).filter(|_| !inner.is_empty()) else {
        return Vec::new();
    };
    let is_list = first.kind == Kind::Item;
    // A list may stand as far left as its key, and then its items are the key's children.
    let is_child =
        |node: &Node| node.indent == first.indent && (node.kind == Kind::Item) == is_list;
    inner.filter(|index| nodes.get(*index).is_some_and(is_child)).collect()
}

/// The last node that is in this one, or the node itself.
fn last(nodes: &[Node], index: usize) -> usize {
    let Some(node) = nodes.get(index) else { return index };
    let is_inner = |inner: &&Node| {
        // A list may stand as far left as its key.
        let is_list = inner.kind == Kind::Item && node.kind != Kind::Item;
        node.indent < inner.indent || (is_list && node.indent == inner.indent)
    };
    let rest = nodes.get(index + 1..).unwrap_or_default();
    index + rest.iter().take_while(is_inner).count()
}

fn extent(nodes: &[Node], index: usize) -> usize {
    let inner = nodes.get(index..=last(nodes, index)).unwrap_or_default();
    inner.iter().map(|node| node.end).max().unwrap_or_default()
}

fn decode(text: &str, nodes: &[Node], index: usize) -> Value {
    let Some(node) = nodes.get(index) else { return Value::Other };
    if !node.value.is_empty() {
        return decode_scalar(text, node.value.clone());
    }
    let inner = children(nodes, index);
    let Some(first) = inner.first().and_then(|index| nodes.get(*index)) else {
        return Value::Other;
    };
    if first.kind == Kind::Item {
        return Value::List(inner.iter().map(|index| decode(text, nodes, *index)).collect());
    }
    let member = |index: &usize| {
        let name = nodes.get(*index)?.key()?.to_owned();
        Some((name, decode(text, nodes, *index)))
    };
    Value::Object(inner.iter().filter_map(member).collect())
}

fn decode_scalar(text: &str, range: Range<usize>) -> Value {
    let written = text.get(range.clone()).unwrap_or_default();
    if let Some(inner) = written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Value::text(inner.replace("''", "'"));
    }
    match written.chars().next() {
        Some('"') => serde_json::from_str(written).map_or(Value::Other, Value::Text),
        Some('[') => {
            let items = outline::flow_items(text, range).into_iter();
            Value::List(items.map(|item| decode_scalar(text, item)).collect())
        }
        Some('{') if written == "{}" => Value::Object(Vec::new()),
        Some('{' | '|' | '>') => Value::Other,
        _ if written.contains('\n') => Value::Other,
        _ => match written {
            "true" => Value::Flag(true),
            "false" => Value::Flag(false),
            "null" | "~" => Value::Other,
            _ => written.parse().map_or_else(|_| Value::text(written), Value::Number),
        },
    }
}

/// `name:` and its members, without the last line end.
fn block(name: &str, value: &Value, indent: &str, eol: &str) -> String {
    let mut lines = Vec::new();
    push(&mut lines, name, value, indent);
    lines.join(eol)
}

fn push(lines: &mut Vec<String>, name: &str, value: &Value, indent: &str) {
    let key = scalar(name);
    match value {
        Value::Object(members) if !members.is_empty() => {
            lines.push(format!("{indent}{key}:"));
            for (name, value) in members {
                push(lines, name, value, &format!("{indent}  "));
            }
        }
        Value::List(values) if !values.is_empty() => {
            lines.push(format!("{indent}{key}:"));
            lines.extend(values.iter().map(|value| format!("{indent}  - {}", rendered(value))));
        }
        _ => lines.push(format!("{indent}{key}: {}", rendered(value))),
    }
}

fn rendered(value: &Value) -> String {
    match value {
        Value::Text(text) => scalar(text),
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::Other => "null".to_owned(),
    }
}

/// Without quotes where nobody can take it for something else. JSON's strings are YAML's too, but
/// for DEL, which YAML does not print.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(is_plain);
    let has_meaning = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    if is_word && !has_meaning {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
    }
}
