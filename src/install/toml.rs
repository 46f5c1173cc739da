//! TOML. The parser only says where things stand: its own writer would change the line ends.

use std::ops::Range;

use toml_edit::{Document, Item, Table, TableLike};

use super::document::{
    Broken, Splice, content_end, line_end, line_start, line_stop, previous_stop,
};
use super::format::{Found, Substitute};
use super::value::Value;

pub(super) fn entries(text: &str, path: &[String]) -> Result<Vec<Found>, Broken> {
    let document = parse(text)?;
    let Some(section) = section(text, &document, path)? else { return Ok(Vec::new()) };
    let found = |(name, item): (&str, &Item)| Found { name: name.to_owned(), value: decode(item) };
    Ok(section.iter().map(found).collect())
}

pub(super) fn insert(
    text: &str,
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let document = parse(text)?;
    let eol = line_end(text);
    let block = block(path, name, value, eol);
    if let Some(item) = path.first().and_then(|key| document.get(key))
        && !item.is_table()
    {
        return Err(inline(text, item.span()));
    }
    if text.trim().is_empty() {
        return Ok(vec![Splice::insert(text.len(), format!("{block}{eol}"))]);
    }
    Ok(vec![Splice::insert(content_end(text), format!("{eol}{eol}{block}"))])
}

pub(super) fn replace(
    text: &str,
    path: &[String],
    name: &str,
    value: &Value,
) -> Result<Vec<Splice>, Broken> {
    let block = block(path, name, value, line_end(text));
    match value_range(text, path, name)? {
        Some(range) => Err(inline(text, Some(range))),
        None => put_back(text, path, name, &block),
    }
}

pub(super) fn written(text: &str, path: &[String], name: &str) -> Result<String, Broken> {
    if let Some(range) = value_range(text, path, name)? {
        return Ok(text.get(range).unwrap_or_default().to_owned());
    }
    let ranges = ranges(text, path, name)?;
    if let Some(range) = whole(text, &ranges) {
        return Ok(text.get(range).unwrap_or_default().to_owned());
    }
    let blocks: Vec<_> = ranges.into_iter().filter_map(|range| text.get(range)).collect();
    Ok(blocks.join(&line_end(text).repeat(2)))
}

pub(super) fn put_back(
    text: &str,
    path: &[String],
    name: &str,
    written: &str,
) -> Result<Vec<Splice>, Broken> {
    if let Some(range) = value_range(text, path, name)? {
        return Ok(vec![Splice::replace(range, written)]);
    }
    let ranges = ranges(text, path, name)?;
    if let Some(range) = whole(text, &ranges) {
        return Ok(vec![Splice::replace(range, written)]);
    }
    let mut ranges = ranges.into_iter();
    let Some(first) = ranges.next() else { return Ok(Vec::new()) };
    let mut splices = vec![Splice::replace(first, written)];
    splices.extend(ranges.map(|range| Splice::remove(widened(text, range))));
    Ok(splices)
}

/// From the first table to the last one, if nothing of somebody else's stands between them.
fn whole(text: &str, ranges: &[Range<usize>]) -> Option<Range<usize>> {
    let is_blank = |pair: &[Range<usize>]| match pair {
        [one, next] => text.get(one.end..next.start).is_some_and(|gap| gap.trim().is_empty()),
        _ => false,
    };
    let (first, last) = (ranges.first()?, ranges.last()?);
    ranges.windows(2).all(is_blank).then_some(first.start..last.end)
}

/// Where an entry stands that is written as a value, in braces.
fn value_range(text: &str, path: &[String], name: &str) -> Result<Option<Range<usize>>, Broken> {
    let document = parse(text)?;
    let section = section(text, &document, path)?;
    Ok(section.and_then(|section| section.get(name)?.as_value()?.span()))
}

pub(super) fn remove(text: &str, path: &[String], name: &str) -> Result<Vec<Splice>, Broken> {
    let ranges = ranges(text, path, name)?.into_iter();
    Ok(ranges.map(|range| Splice::remove(widened(text, range))).collect())
}

pub(super) fn substitute(
    text: &str,
    path: &[String],
    name: &str,
    substitute: &Substitute<'_>,
) -> Result<Vec<Splice>, Broken> {
    let document = parse(text)?;
    let section = section(text, &document, path)?;
    let entry = section.and_then(|section| section.get(name)?.as_table_like());
    let program = entry.and_then(|entry| entry.get(substitute.key)?.span());
    let Some((entry, program)) = entry.zip(program) else {
        return Err(Broken::at(text, 0, format!("`{name}` has no program")));
    };
    let mut splices = vec![Splice::replace(program, quoted(substitute.program))];
    let args = entry.get("args").and_then(Item::as_array);
    let start = |index| args?.get(index)?.span().map(|span| span.start);
    if let (Some(first), Some(kept)) = (start(0), start(substitute.n_gone)) {
        splices.push(Splice::remove(first..kept));
    }
    Ok(splices)
}

fn parse(text: &str) -> Result<Document<&str>, Broken> {
    Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Broken::at(text, at, error.message().lines().next().unwrap_or_default())
    })
}

fn section<'a>(
    text: &str,
    document: &'a Document<&str>,
    path: &[String],
) -> Result<Option<&'a dyn TableLike>, Broken> {
    let mut table: &dyn TableLike = document.as_table();
    for key in path {
        let Some(item) = table.get(key) else { return Ok(None) };
        let at = item.span().map_or(0, |span| span.start);
        table = item
            .as_table_like()
            .ok_or_else(|| Broken::at(text, at, format!("`{key}` is no table")))?;
    }
    Ok(Some(table))
}

/// The lines of an entry's tables, each without its last line end.
fn ranges(text: &str, path: &[String], name: &str) -> Result<Vec<Range<usize>>, Broken> {
    let document = parse(text)?;
    let section = section(text, &document, path)?;
    let item = section.and_then(|section| section.get(name));
    let mut ranges = Vec::new();
    match item {
        None => return Err(Broken::at(text, 0, format!("there is no `{name}`"))),
        Some(Item::Table(table)) if !table.is_dotted() => collect(text, table, &mut ranges),
        Some(item) => return Err(inline(text, item.span())),
    }
    ranges.sort_by_key(|range| range.start);
    Ok(ranges)
}

fn collect(text: &str, table: &Table, ranges: &mut Vec<Range<usize>>) {
    if let Some(header) = table.span().filter(|span| !span.is_empty()) {
        let mut end = header.end;
        last_value(table, &mut end);
        ranges.push(line_start(text, header.start)..line_stop(text, end));
    }
    for (_, item) in table {
        match item {
            Item::Table(table) if !table.is_dotted() => collect(text, table, ranges),
            Item::ArrayOfTables(tables) => {
                tables.iter().for_each(|table| collect(text, table, ranges));
            }
            _ => {}
        }
    }
}

/// The end of the last value that stands under the table's own header.
fn last_value(table: &Table, end: &mut usize) {
    for (_, item) in table {
        match item {
            Item::Table(inner) if inner.is_dotted() => last_value(inner, end),
            Item::Value(value) => {
                *end = value.span().map_or(*end, |span| span.end).max(*end);
            }
            _ => {}
        }
    }
}

/// With the line end before it, and with the blank line before that.
fn widened(text: &str, range: Range<usize>) -> Range<usize> {
    if range.start == 0 {
        let rest = text.get(range.end..).unwrap_or_default();
        let eol = ["\r\n", "\n"].iter().find(|eol| rest.starts_with(**eol));
        return 0..range.end + eol.map_or(0, |eol| eol.len());
    }
    let before = previous_stop(text, range.start);
    let is_blank = line_start(text, before) == before && 0 < before;
    (if is_blank { previous_stop(text, before) } else { before })..range.end
}

fn inline(text: &str, span: Option<Range<usize>>) -> Broken {
    let at = span.map_or(0, |span| span.start);
    Broken::at(text, at, "this is written inline, and would have to be rewritten")
}

fn decode(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        let member = |(name, item): (&str, &Item)| (name.to_owned(), decode(item));
        return Value::Object(table.iter().map(member).collect());
    }
    item.as_value().map_or(Value::Other, decode_value)
}

fn decode_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::text(text.value()),
        toml_edit::Value::Boolean(flag) => Value::Flag(*flag.value()),
        toml_edit::Value::Integer(number) => {
            u64::try_from(*number.value()).map_or(Value::Other, Value::Number)
        }
        toml_edit::Value::Array(array) => Value::List(array.iter().map(decode_value).collect()),
        toml_edit::Value::InlineTable(table) => {
            let member =
                |(name, value): (&str, &toml_edit::Value)| (name.to_owned(), decode_value(value));
            Value::Object(table.iter().map(member).collect())
        }
        _ => Value::Other,
    }
}

/// A table of its own, without the last line end.
fn block(path: &[String], name: &str, value: &Value, eol: &str) -> String {
    let header: Vec<_> = path.iter().map(String::as_str).chain([name]).map(key).collect();
    let mut lines = vec![format!("[{}]", header.join("."))];
    if let Value::Object(members) = value {
        lines.extend(
            members.iter().map(|(name, value)| format!("{} = {}", key(name), rendered(value))),
        );
    }
    lines.join(eol)
}

fn rendered(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(values) => {
            format!("[{}]", values.iter().map(rendered).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let member =
                |(name, value): &(String, Value)| format!("{} = {}", key(name), rendered(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Other => "\"\"".to_owned(),
    }
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string. JSON's escapes are TOML's too, but for DEL, which JSON lets stand.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
