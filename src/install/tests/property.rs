//! Generated files: JSON with comments, trailing commas and any layout.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;

/// What a file says. `Object` keeps its order.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Json),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_map(Tree::Leaf).prop_recursive(3, 24, 4, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::List), object(inner),]
    })
}

fn object(inner: impl Strategy<Value = Tree>) -> impl Strategy<Value = Tree> {
    prop::collection::vec((text(), inner), 0..4).prop_map(|members| {
        let number = |(n, (name, tree)): (usize, (String, Tree))| (format!("{name}{n}"), tree);
        Tree::Object(members.into_iter().enumerate().map(number).collect())
    })
}

/// Texts that look like everything else in such a file.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("//"),
            Just("/*"),
            Just("*/"),
            Just("\""),
            Just("\\"),
            Just("{"),
            Just("}"),
            Just(","),
            Just("\n"),
            Just("ö"),
            Just("a"),
            Just(" "),
            Just(":"),
            Just("]"),
        ],
        0..4,
    )
    .prop_map(|parts| parts.concat())
}

/// A whole file, with a section of servers in it or without.
fn file() -> impl Strategy<Value = Tree> {
    let section = prop::option::of(object(tree()));
    (object(tree()), section, any::<prop::sample::Index>()).prop_map(|(root, section, at)| {
        let Tree::Object(mut members) = root else { unreachable!() };
        if let Some(section) = section {
            members.insert(at.index(members.len() + 1), ("mcpServers".to_owned(), section));
        }
        Tree::Object(members)
    })
}

/// Writes a tree with gaps and commas that `choices` decides.
struct Writer<'a> {
    out: String,
    eol: &'a str,
    choices: Vec<u8>,
    at: usize,
}

impl Writer<'_> {
    fn choose(&mut self, n: u8) -> u8 {
        self.at += 1;
        self.choices[self.at % self.choices.len()].wrapping_add(self.at.to_le_bytes()[0]) % n
    }

    fn gap(&mut self) {
        let eol = self.eol;
        let gap = match self.choose(12) {
            0 => " ".to_owned(),
            1 => eol.to_owned(),
            2 => format!("{eol}  "),
            3 => format!("{eol}\t\t"),
            4 => format!(" // a \"}},{eol}"),
            5 => "/* b, { */".to_owned(),
            6 => format!("{eol}  /* c{eol} d */ "),
            7 => format!("{eol}{eol}    // e{eol}    "),
            _ => String::new(),
        };
        self.out.push_str(&gap);
    }

    fn write(&mut self, tree: &Tree) {
        match tree {
            Tree::Leaf(value) => self.out.push_str(&value.to_string()),
            Tree::List(values) => self.members('[', ']', values, |writer, value| {
                writer.write(value);
            }),
            Tree::Object(members) => self.members('{', '}', members, |writer, (name, value)| {
                writer.out.push_str(&Json::from(name.as_str()).to_string());
                writer.gap();
                writer.out.push(':');
                writer.gap();
                writer.write(value);
            }),
        }
    }

    fn members<T>(&mut self, open: char, close: char, members: &[T], one: fn(&mut Self, &T)) {
        self.out.push(open);
        for (n, member) in members.iter().enumerate() {
            self.gap();
            one(self, member);
            self.gap();
            if n + 1 < members.len() || self.choose(2) == 0 {
                self.out.push(',');
            }
        }
        self.gap();
        self.out.push(close);
    }
}

fn written(tree: &Tree, choices: Vec<u8>) -> String {
    let eol = if choices[0].is_multiple_of(2) { "\n" } else { "\r\n" };
    let mark = if choices[0].is_multiple_of(5) { "\u{feff}" } else { "" };
    let mut writer = Writer { out: mark.to_owned(), eol, choices, at: 0 };
    writer.gap();
    writer.write(tree);
    writer.gap();
    writer.out
}

fn meaning(tree: &Tree) -> Json {
    match tree {
        Tree::Leaf(value) => value.clone(),
        Tree::List(values) => values.iter().map(meaning).collect(),
        Tree::Object(members) => {
            members.iter().map(|(name, tree)| (name.clone(), meaning(tree))).collect()
        }
    }
}

/// Another reader than the one under test: plain JSON once comments and commas are gone.
fn parse(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str(&plain(text))
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        if c == '"' {
            let mut is_escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            length = end.map_or(rest.len(), |end| end + 2);
            plain.push_str(&rest[..length]);
        } else if rest.starts_with("//") {
            length = rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            // One without an end makes a file that nobody can read.
            length = comment.find("*/").map_or(rest.len(), |end| end + 4);
            plain.push_str(if comment.contains("*/") { " " } else { "?" });
        } else {
            if c == '}' || c == ']' {
                let kept = plain.trim_end().len();
                let kept = plain[..kept].strip_suffix(',').map_or(kept, str::len);
                // Not the comma of `[,]`.
                if !plain[..kept].trim_end().ends_with(['[', '{', ',']) {
                    plain.truncate(kept);
                }
            }
            plain.push(c);
        }
        rest = &rest[length..];
    }
    plain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn only_the_entry_comes_and_goes(
        tree in file(),
        choices in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let before = written(&tree, choices);
        let mut expected = meaning(&tree);
        prop_assert_eq!(&parse(&before).unwrap(), &expected);
        let host = known("cursor");
        let after = installed("cursor", &before, &entry("ours"));
        let section = &mut expected["mcpServers"];
        let n_servers = section.as_object().map_or(0, Map::len);
        section["ours"] =
            json!({"command": "/opt/apexmcp-bridge", "args": ["https://mcp.apexmcp.ai/mcp/acme/sse"]});
        prop_assert_eq!(&parse(&after).unwrap(), &expected);

        let again = install(&read(&after), host, &entry("ours"));
        prop_assert!(matches!(again, Ok(Step::Present)));

        // Every byte of the file is still there, in order.
        let mut rest = after.bytes();
        prop_assert!(before.bytes().all(|byte| rest.any(|other| other == byte)));

        let path = vec!["mcpServers".to_owned(), "ours".to_owned()];
        let removed = uninstall(&read(&after), host, vec![(path, None)]).unwrap();
        let removed = removed.after.text();
        if 0 < n_servers {
            prop_assert_eq!(removed, &before, "the way back");
        } else {
            expected["mcpServers"] = json!({});
            prop_assert_eq!(parse(removed).unwrap(), expected);
        }
    }

    /// A file that ends too early, wherever, is refused unless it still says something.
    #[test]
    fn what_is_cut_off_is_refused(
        tree in file(),
        choices in prop::collection::vec(any::<u8>(), 1..40),
        end in any::<prop::sample::Index>(),
    ) {
        let whole = written(&tree, choices);
        let end = end.index(whole.len() + 1);
        let end = (0..=end).rev().find(|end| whole.is_char_boundary(*end)).unwrap();
        let cut = &whole[..end];
        let step = install(&read(cut), known("cursor"), &entry("ours"));
        match parse(cut) {
            Ok(_) => prop_assert!(matches!(step, Ok(Step::Write(_)))),
            // Nothing but blanks and comments is an empty file.
            Err(_) if plain(cut).trim().is_empty() => {
                let is_written = matches!(step, Ok(Step::Write(_)));
                prop_assert!(is_written);
            }
            Err(_) => prop_assert!(step.is_err()),
        }
    }

    /// Nothing that can be in a file makes the program stop.
    #[test]
    fn no_text_is_too_odd(text in "[\\[{}\\]:,\"'#|>&*!?a0 \\-\n\t=./]{0,40}") {
        for id in ["cursor", "codex", "goose"] {
            let host = known(id);
            if let Ok(Step::Write(change)) = install(&read(&text), host, &entry("ours")) {
                let path = vec![host.section.to_owned(), "ours".to_owned()];
                prop_assert!(uninstall(&change.after, host, vec![(path, None)]).is_ok());
            }
            migrate(&read(&text), host, "/opt/x").ok();
        }
    }
}
