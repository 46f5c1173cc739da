//! Generated YAML: block mappings and lists in the layouts that people and libraries write.

use proptest::prelude::*;

use super::*;

/// What an entry says.
#[derive(Clone, Debug)]
enum Tree {
    Text(String),
    List(Vec<String>),
    Object(Vec<Self>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let text = prop::sample::select(
        [
            "a",
            "x: y",
            "it's",
            "# no",
            "- z",
            "a b",
            "yes#no",
            "'q'",
            "\"d\"",
            "{a}",
            "[b",
            "&x",
            "key: |",
            "é",
            "a:b",
            "http://a/?b=1#c",
            "*",
            "",
            "extensions:",
            "---",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    let leaf = prop_oneof![
        text.clone().prop_map(Tree::Text),
        prop::collection::vec(text, 1..4).prop_map(Tree::List),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| prop::collection::vec(inner, 1..4).prop_map(Tree::Object))
}

/// Writes a tree in the layout that `choices` decides.
struct Writer {
    lines: Vec<String>,
    choices: Vec<u8>,
    at: usize,
}

impl Writer {
    fn choose(&mut self, n: u8) -> u8 {
        self.at += 1;
        self.choices[self.at % self.choices.len()].wrapping_add(self.at.to_le_bytes()[0]) % n
    }

    fn comment(&mut self) {
        match self.choose(8) {
            0 => self.lines.push("   # it's: a {comment".to_owned()),
            1 => self.lines.push("# \"another".to_owned()),
            2 => self.lines.push(String::new()),
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, indent: &str) -> String {
        let is_word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == ':');
        let tail = if self.choose(6) == 0 { " # why: [" } else { "" };
        match self.choose(5) {
            0 if is_word && !text.ends_with(':') => format!("{text}{tail}"),
            1 => format!("'{}'{tail}", text.replace('\'', "''")),
            // Over two lines, which are one when they are read.
            2 => format!("\"{}\\\n{indent}   \"{tail}", text.replace('"', "\\\"")),
            3 if !text.is_empty() => format!("|-\n{indent}   {text}"),
            _ => format!("\"{}\"{tail}", text.replace('"', "\\\"")),
        }
    }

    fn member(&mut self, name: &str, tree: &Tree, indent: &str) {
        self.comment();
        match tree {
            Tree::Text(text) => {
                let scalar = self.scalar(text, indent);
                self.lines.push(format!("{indent}{name}: {scalar}"));
            }
            Tree::List(texts) if self.choose(3) == 0 => {
                let texts: Vec<_> =
                    texts.iter().map(|text| format!("'{}'", text.replace('\'', "''"))).collect();
                let gap = if self.choose(2) == 0 { " " } else { "\n  " };
                self.lines
                    .push(format!("{indent}{name}: [{}]", texts.join(&format!(",{gap}{indent}"))));
            }
            Tree::List(texts) => {
                self.lines.push(format!("{indent}{name}:"));
                let inner =
                    if self.choose(2) == 0 { indent.to_owned() } else { format!("{indent}   ") };
                for text in texts {
                    self.comment();
                    let scalar = self.scalar(text, &inner);
                    self.lines.push(format!("{inner}- {scalar}"));
                }
            }
            Tree::Object(members) => {
                self.lines.push(format!("{indent}{name}:"));
                let inner = format!("{indent}{}", " ".repeat(usize::from(self.choose(4)) + 1));
                for (n, member) in members.iter().enumerate() {
                    self.member(&format!("k{n}"), member, &inner);
                }
            }
        }
    }
}

/// The text of a value is known where it is written in one line.
fn agrees(value: &Value, tree: &Tree) -> bool {
    match (value, tree) {
        (Value::Other, Tree::Text(_)) => true,
        (Value::Text(text), Tree::Text(expected)) => text == expected,
        (Value::List(values), Tree::List(texts)) => {
            let agree = |(value, text): (&Value, &String)| agrees(value, &Tree::Text(text.clone()));
            values.len() == texts.len() && values.iter().zip(texts).all(agree)
        }
        (Value::Object(values), Tree::Object(trees)) => {
            let agree = |((_, value), tree): (&(String, Value), &Tree)| agrees(value, tree);
            values.len() == trees.len() && values.iter().zip(trees).all(agree)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn one_block_comes_and_goes(
        ahead in prop::collection::vec(tree(), 0..3),
        inside in prop::collection::vec(tree(), 1..4),
        behind in prop::collection::vec(tree(), 0..3),
        choices in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let eol = if choices[0].is_multiple_of(2) { "\n" } else { "\r\n" };
        let mut writer = Writer { lines: Vec::new(), choices, at: 0 };
        for (n, tree) in ahead.iter().enumerate() {
            writer.member(&format!("a{n}"), tree, "");
        }
        writer.member("extensions", &Tree::Object(inside.clone()), "");
        for (n, tree) in behind.iter().enumerate() {
            writer.member(&format!("b{n}"), tree, "");
        }
        let before = writer.lines.join("\n").replace('\n', eol) + eol;
        let host = known("goose");
        let section = ["extensions".to_owned()];
        let entries = host.format.entries(&before, &section).unwrap();
        let agree = |(found, tree): (&Found, &Tree)| agrees(&found.value, tree);
        prop_assert!(entries.len() == inside.len() && entries.iter().zip(&inside).all(agree), "{before}");

        let after = installed("goose", &before, &entry("ours"));
        let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        prop_assert!(after.as_bytes().ends_with(&before.as_bytes()[same..]), "{after}");
        prop_assert_eq!(host.format.entries(&after, &section).unwrap().len(), inside.len() + 1);
        let path = vec!["extensions".to_owned(), "ours".to_owned()];
        let removed = uninstall(&read(&after), host, vec![(path, None)]).unwrap();
        prop_assert_eq!(removed.after.text(), &before);
    }
}
