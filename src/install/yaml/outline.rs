//! The keys and list items of a YAML document, and where they stand.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::install::document::{Broken, line_stop};

/// A key with its value, or a list item.
pub(super) struct Node {
    /// The column, from 0.
    pub(super) indent: usize,
    pub(super) kind: Kind,
    /// Where it begins.
    pub(super) line: usize,
    /// The scalar or flow collection behind it; empty if there is none.
    pub(super) value: Range<usize>,
    /// The end of the last line of that value.
    pub(super) end: usize,
}

#[derive(PartialEq, Eq)]
pub(super) enum Kind {
    Key(String),
    Item,
}

impl Node {
    /// Whether a line end behind it would be one more in its text.
    pub(super) fn grows(&self, text: &str) -> bool {
        let header = text.get(self.value.clone()).unwrap_or_default();
        let header = header.split(" #").next().unwrap_or_default();
        header.starts_with(['|', '>']) && !header.contains('-') && self.end == text.len()
    }

    pub(super) fn key(&self) -> Option<&str> {
        if let Kind::Key(key) = &self.kind { Some(key) } else { None }
    }
}

/// Reads a document.
pub(super) fn outline(text: &str) -> Result<Vec<Node>, Broken> {
    let mut reader = Reader { text, nodes: Vec::new(), keys: Vec::new(), lists: BTreeSet::new() };
    let mut at = 0;
    let mut began = false;
    while at < text.len() {
        let stop = line_stop(text, at);
        let line = text.get(at..stop).unwrap_or_default();
        let content = line.trim_start_matches(' ');
        if is_blank(content) {
            at = next_line(text, stop);
        } else if content.starts_with('\t') {
            return Err(Broken::at(text, stop - content.len(), "a tab is no indentation in YAML"));
        } else if line.starts_with("---") && is_blank(line.get(3..).unwrap_or("x")) && !began {
            at = next_line(text, stop);
        } else if ["---", "...", "%"].iter().any(|mark| line.starts_with(mark)) {
            return Err(Broken::at(text, at, "only files with a single document are changed"));
        } else {
            let end = reader.line(at, stop - content.len())?;
            at = next_line(text, end);
        }
        began |= !is_blank(content);
    }
    match reader.nodes.first() {
        Some(first) if first.kind == Kind::Item || first.indent != 0 => {
            Err(Broken::at(text, first.line, "expected `name: value` at the beginning of a line"))
        }
        _ => Ok(reader.nodes),
    }
}

/// The items of `[…]`.
pub(super) fn flow_items(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let inner = range.start + 1..range.end.saturating_sub(1);
    let mut items = Vec::new();
    let mut start = inner.start;
    let mut scan = Flow::default();
    let inside = text.get(inner.clone()).unwrap_or_default();
    for (offset, c) in inside.char_indices() {
        if scan.step(c) && c == ',' && scan.open.is_empty() {
            items.push(start..inner.start + offset);
            start = inner.start + offset + 1;
        }
    }
    items.push(start..inner.end);
    let trimmed = |item: Range<usize>| {
        let written = text.get(item.clone()).unwrap_or_default();
        let start = item.end - written.trim_start().len();
        start..start + written.trim().len()
    };
    items.into_iter().map(trimmed).filter(|item| !item.is_empty()).collect()
}

struct Reader<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    /// The columns of the mappings that are open.
    keys: Vec<usize>,
    /// The columns of the lists that are open.
    lists: BTreeSet<usize>,
}

impl Reader<'_> {
    /// Reads what begins in this line; returns the end of its last line.
    fn line(&mut self, start: usize, first: usize) -> Result<usize, Broken> {
        let stop = line_stop(self.text, start);
        let mut at = first;
        let mut in_item = false;
        loop {
            let rest = self.text.get(at..stop).unwrap_or_default();
            if rest == "-" || rest.starts_with("- ") {
                let after = stop - rest.get(1..).unwrap_or_default().trim_start().len();
                self.open_item(at - start, at)?;
                self.push(Kind::Item, at - start, at, after..after, stop);
                if is_blank(self.text.get(after..stop).unwrap_or_default()) {
                    return Ok(stop);
                }
                (at, in_item) = (after, true);
                continue;
            }
            if let Some((key, length)) = key(rest) {
                self.open_key(at - start, at)?;
                let (value, end) = self.value(at + length, at - start)?;
                self.push(Kind::Key(key), at - start, at, value, end);
                return Ok(end);
            }
            let parent = self.nodes.last().map_or(0, |node| node.indent);
            if in_item {
                let (value, end) = self.value(at, parent)?;
                if let Some(item) = self.nodes.last_mut() {
                    (item.value, item.end) = (value, end);
                }
                return Ok(end);
            }
            return self.continued(at, stop);
        }
    }

    /// A further line of a plain scalar.
    fn continued(&mut self, at: usize, stop: usize) -> Result<usize, Broken> {
        let text = self.text;
        let indent = at - crate::install::document::line_start(text, at);
        let is_plain = |node: &&mut Node| {
            let written = text.get(node.value.clone()).unwrap_or_default();
            !written.is_empty() && !written.starts_with(['"', '\'', '[', '{', '|', '>'])
        };
        match self.nodes.last_mut().filter(is_plain).filter(|node| node.indent < indent) {
            Some(node) => {
                (node.value.end, node.end) = (stop, stop);
                Ok(stop)
            }
            None => Err(Broken::at(text, at, "expected `name: value`")),
        }
    }

    fn push(&mut self, kind: Kind, indent: usize, line: usize, value: Range<usize>, end: usize) {
        self.nodes.push(Node { indent, kind, line, value, end });
    }

    /// Whether something may begin here that is in the node before it.
    fn expects(&self, kind: &Kind, column: usize) -> bool {
        self.nodes.last().is_none_or(|node| {
            // A list may stand as far left as its key.
            let is_inner = node.indent < column
                || (node.indent == column && *kind == Kind::Item && node.kind != Kind::Item);
            node.value.is_empty() && is_inner
        })
    }

    fn open_key(&mut self, column: usize, at: usize) -> Result<(), Broken> {
        self.keys.retain(|open| *open <= column);
        self.lists.retain(|open| *open < column);
        if self.keys.last() != Some(&column) {
            if !self.expects(&Kind::Key(String::new()), column) {
                return Err(Broken::at(self.text, at, "the indentation fits nothing above"));
            }
            self.keys.push(column);
        }
        Ok(())
    }

    fn open_item(&mut self, column: usize, at: usize) -> Result<(), Broken> {
        self.keys.retain(|open| *open <= column);
        self.lists.retain(|open| *open <= column);
        if !self.lists.contains(&column) && !self.expects(&Kind::Item, column) {
            return Err(Broken::at(self.text, at, "the indentation fits nothing above"));
        }
        self.lists.insert(column);
        Ok(())
    }

    /// The value that begins here, and the end of its last line.
    fn value(&self, from: usize, parent: usize) -> Result<(Range<usize>, usize), Broken> {
        let text = self.text;
        let stop = line_stop(text, from);
        let rest = text.get(from..stop).unwrap_or_default().trim_start();
        let start = stop - rest.len();
        if is_blank(rest) {
            return Ok((from..from, stop));
        }
        let end = match rest.chars().next() {
            Some('|' | '>') => {
                let end = block_end(text, stop, parent, rest.contains('+'));
                return Ok((start..stop, end));
            }
            Some(quote @ ('"' | '\'')) => quoted_end(text, start, quote),
            Some('[' | '{') => flow_end(text, start),
            Some('&' | '*' | '!' | '@' | '`' | '%') => {
                return Err(Broken::at(
                    text,
                    start,
                    "anchors, aliases and tags are not understood",
                ));
            }
            _ => {
                let written = rest.get(..plain_length(rest)).unwrap_or_default();
                let starts = ["- ", "? ", "]", "}", ","];
                let is_odd = starts.iter().any(|start| written.starts_with(start))
                    || [": ", ":\t"].iter().any(|colon| written.contains(colon))
                    || written.ends_with(':')
                    || written == "-";
                if is_odd {
                    return Err(Broken::at(text, start, "this must be put in quotes"));
                }
                Some(start + written.len())
            }
        };
        let Some(end) = end else {
            return Err(Broken::at(text, start, "what begins here does not end"));
        };
        let stop = line_stop(text, end);
        if !is_blank(text.get(end..stop).unwrap_or_default().trim_start()) {
            return Err(Broken::at(text, end, "expected the end of the line"));
        }
        Ok((start..end, stop))
    }
}

fn is_blank(rest: &str) -> bool {
    rest.trim().is_empty() || rest.starts_with('#')
}

fn next_line(text: &str, stop: usize) -> usize {
    let rest = text.get(stop..).unwrap_or_default();
    stop + rest.find('\n').map_or(rest.len(), |newline| newline + 1)
}

/// The key at the beginning of the line, and its length with the colon.
fn key(rest: &str) -> Option<(String, usize)> {
    let (name, length) = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let end = quoted_end(rest, 0, quote)?;
            let written = rest.get(..end)?;
            let name = match quote {
                '"' => serde_json::from_str(written).ok()?,
                _ => written.trim_matches('\'').replace("''", "'"),
            };
            (name, end)
        }
        '[' | '{' | '&' | '*' | '!' | '|' | '>' | '@' | '`' | '%' | '?' | ',' | ']' | '}' => {
            return None;
        }
        _ => {
            let written = rest.get(..plain_length(rest))?;
            let colon = written.find(": ").or(written.ends_with(':').then(|| written.len() - 1))?;
            (written.get(..colon)?.trim_end().to_owned(), colon)
        }
    };
    let after = rest.get(length..)?;
    let colon = after.len() - after.trim_start().len();
    let after = after.get(colon..)?.strip_prefix(':')?;
    (after.is_empty() || after.starts_with([' ', '\t'])).then_some((name, length + colon + 1))
}

/// Up to a comment.
fn plain_length(rest: &str) -> usize {
    let comment = rest.find(" #").unwrap_or(rest.len());
    rest.get(..comment).unwrap_or(rest).trim_end().len()
}

fn quoted_end(text: &str, start: usize, quote: char) -> Option<usize> {
    let mut characters = text.get(start + 1..)?.char_indices().peekable();
    while let Some((offset, c)) = characters.next() {
        if c == '\\' && quote == '"' {
            characters.next();
        } else if c == quote {
            let is_doubled = quote == '\'' && characters.next_if(|(_, c)| *c == quote).is_some();
            if !is_doubled {
                return Some(start + 1 + offset + 1);
            }
        }
    }
    None
}

fn flow_end(text: &str, start: usize) -> Option<usize> {
    let mut scan = Flow::default();
    for (offset, c) in text.get(start..)?.char_indices() {
        if scan.step(c) && (scan.is_broken || scan.open.is_empty()) {
            return (!scan.is_broken).then(|| start + offset + c.len_utf8());
        }
    }
    None
}

/// Where a flow collection stands.
#[derive(Default)]
struct Flow {
    /// The brackets that are open.
    open: Vec<char>,
    /// Whether one was closed by another's end.
    is_broken: bool,
    within: Within,
    previous: Option<char>,
}

#[derive(Clone, Copy, Default)]
enum Within {
    #[default]
    Collection,
    Comment,
    Quotation(char),
    /// Behind a `\` in a quotation.
    Escape,
    /// Behind a `'`, which may be the end or the first of two.
    Apostrophe,
}

impl Flow {
    /// Takes a character; whether it is one of the collection's own and no part of a quotation.
    fn step(&mut self, c: char) -> bool {
        let previous = self.previous.replace(c);
        self.within = match (self.within, c) {
            (Within::Comment, '\n') | (Within::Quotation('"'), '"') => Within::Collection,
            (Within::Comment, _) => Within::Comment,
            (Within::Escape, _) => Within::Quotation('"'),
            (Within::Quotation('"'), '\\') => Within::Escape,
            (Within::Quotation('\''), '\'') => Within::Apostrophe,
            (Within::Quotation(quote), _) => Within::Quotation(quote),
            (Within::Apostrophe, '\'') => Within::Quotation('\''),
            (Within::Collection | Within::Apostrophe, _) => return self.own(previous, c),
        };
        false
    }

    fn own(&mut self, previous: Option<char>, c: char) -> bool {
        self.within = match c {
            // In the middle of a word it is an apostrophe.
            '"' | '\'' if previous.is_none_or(|c| c.is_whitespace() || "[{,:".contains(c)) => {
                Within::Quotation(c)
            }
            '#' if previous.is_some_and(char::is_whitespace) => Within::Comment,
            _ => Within::Collection,
        };
        match c {
            '[' => self.open.push(']'),
            '{' => self.open.push('}'),
            ']' | '}' => self.is_broken |= self.open.pop() != Some(c),
            _ => {}
        }
        matches!(self.within, Within::Collection)
    }
}

/// The end of a block scalar: every line that stands further right than its parent. If it keeps
/// its last line ends, the blank lines behind it are its own too.
fn block_end(text: &str, header: usize, parent: usize, keeps: bool) -> usize {
    let mut end = header;
    let mut at = next_line(text, header);
    while at < text.len() {
        let stop = line_stop(text, at);
        let line = text.get(at..stop).unwrap_or_default();
        let indent = line.len() - line.trim_start_matches(' ').len();
        let is_blank = line.trim().is_empty();
        if !is_blank && indent <= parent {
            break;
        }
        if !is_blank || keeps {
            end = stop;
        }
        at = next_line(text, stop);
    }
    end
}
