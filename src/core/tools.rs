//! Tools that the user does not want to see (`--ignore-tool`): the one change that this program
//! makes to an answer, and only where it was asked to.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::Members;

/// The names of tools that are hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// The tools that one of these patterns matches: `*` stands for any text, the case does not
    /// matter, and the whole name counts.
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.iter().map(|pattern| pattern.to_lowercase()).collect())
    }

    /// Whether no tool is hidden.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the tool of that name is hidden.
    pub fn hides(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.0.iter().any(|pattern| matches(pattern, &name))
    }

    /// The result of a `tools/list` without the hidden tools; `None` if it has none of them. All
    /// else stays as it was written.
    pub fn filter(&self, result: &str) -> Option<String> {
        let mut members = Members::read(result)?;
        let tools: Vec<&RawValue> = serde_json::from_str(members.get("tools")?).ok()?;
        let kept: Vec<_> = tools.iter().filter(|tool| !self.is_hidden(tool)).collect();
        if kept.len() == tools.len() {
            return None;
        }
        let kept: Vec<_> = kept.iter().map(|tool| tool.get()).collect();
        let kept = format!("[{}]", kept.join(","));
        members.set("tools", kept);
        Some(members.write())
    }

    fn is_hidden(&self, tool: &RawValue) -> bool {
        name(tool).is_some_and(|name| self.hides(&name))
    }
}

/// The `name` in a tool, or in the parameters of a `tools/call`.
pub fn name(object: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    serde_json::from_str::<Named>(object.get()).ok().map(|named| named.name)
}

/// Whether the pattern matches the whole text. Greedy with one step back, so that no pattern is
/// slow.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(patterns: &[&str]) -> Hidden {
        Hidden::new(&patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("delete*", "deleteRow", true),
            ("delete*", "DELETE", true),
            ("delete*", "undelete", false),
            ("*row", "deleteRow", true),
            ("*e*e*", "delete", true),
            ("*", "", true),
            ("a.c", "abc", false),
            ("", "a", false),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYYcd", false),
        ] {
            assert_eq!(hidden(&[pattern]).hides(name), expected, "{pattern} {name}");
        }
        let slow = hidden(&[&"*a".repeat(40)]);
        assert!(!slow.hides(&"a".repeat(39)));
    }

    #[test]
    fn nothing_but_the_hidden_tools_changes() {
        let filter = |patterns: &[&str], text: &str| hidden(patterns).filter(text);
        let list = r#"{"n":1.0,"tools":[{"name":"a","x":1e400},{"name":"b"},7],"next\u0043ursor":"c","n":2}"#;
        assert_eq!(
            filter(&["B"], list).unwrap(),
            r#"{"n":1.0,"tools":[{"name":"a","x":1e400},7],"next\u0043ursor":"c","n":2}"#
        );
        assert_eq!(filter(&["c"], list), None, "what hides nothing changes nothing");
        assert_eq!(filter(&["*"], "[]"), None);
    }
}
