//! The help that the program prints, taken apart again.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use apexmcp_bridge::cli::{self, Environment, Invocation};

/// What `--help` prints.
pub(crate) struct Help {
    text: String,
}

/// A flag that a verb has beside those of the bare form.
pub(crate) struct FlagOfVerb {
    /// Without `--`.
    pub(crate) name: String,
    /// What it takes, if it takes a value.
    pub(crate) value: Option<String>,
    /// What it does, in one line.
    pub(crate) text: String,
}

/// A heading that ends in a colon, and the lines under it.
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

impl Help {
    /// Asks for the help of these words, as a user does.
    pub(crate) fn of(words: &[&str]) -> io::Result<Self> {
        let arguments = words.iter().chain(&["--help"]).map(OsString::from).collect();
        match cli::parse(arguments, &Nothing) {
            Invocation::Print(text) => Ok(Self { text }),
            _ => Err(io::Error::other(format!("`{}` has no help", words.join(" ")))),
        }
    }

    /// Everything before `Usage:`.
    pub(crate) fn description(&self) -> &str {
        self.text.split("\nUsage:").next().unwrap_or_default().trim()
    }

    /// The first sentence, without its full stop or what follows a colon.
    pub(crate) fn summary(&self) -> String {
        let line = self.description().split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let end = line.find(". ").or_else(|| line.find(": ")).unwrap_or(line.len());
        line.get(..end).unwrap_or_default().trim_end_matches('.').to_owned()
    }

    /// The lines after `Usage:`, each a form of the command.
    pub(crate) fn usage(&self) -> Vec<&str> {
        let after = self.text.split("\nUsage:").nth(1).unwrap_or_default();
        after.split("\n\n").next().unwrap_or_default().lines().map(str::trim).collect()
    }

    /// The verbs that the main help lists.
    pub(crate) fn verbs(&self) -> Vec<String> {
        let listed = self.sections().into_iter().find(|it| it.title.starts_with("Verbs"));
        let lines = listed.map(|it| it.lines).unwrap_or_default();
        // What is indented further goes on with the line before it.
        let named = lines.iter().filter(|line| !line.starts_with("   "));
        named.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    }

    /// The flags under `Options:`.
    pub(crate) fn options(&self) -> Vec<FlagOfVerb> {
        let section = self.sections().into_iter().find(|it| it.title == "Options");
        let mut options: Vec<FlagOfVerb> = Vec::new();
        for line in section.map(|it| it.lines).unwrap_or_default() {
            let trimmed = line.trim();
            if let Some(flag) = trimmed.strip_prefix("--") {
                let (written, text) = flag.split_once("  ").unwrap_or((flag, ""));
                let (name, value) = match written.split_once([' ', '=']) {
                    Some((name, value)) => (name, Some(value.trim_matches(['<', '>']).to_owned())),
                    None => (written, None),
                };
                let text = text.trim().to_owned();
                options.push(FlagOfVerb { name: name.to_owned(), value, text });
            } else if let Some(last) = options.last_mut() {
                if !last.text.is_empty() {
                    last.text.push(' ');
                }
                last.text.push_str(trimmed);
            }
        }
        options
    }

    /// All sections, in order. A section is a line that ends in a colon, or begins with
    /// `Exit status:`, and what follows until the next one.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = Vec::new();
        for line in self.text.split("\nUsage:").nth(1).unwrap_or_default().lines().skip(1) {
            let is_text = !line.starts_with(' ') && !line.is_empty();
            match line.split_once(':') {
                Some((title, rest)) if is_text && (rest.is_empty() || title == "Exit status") => {
                    let rest = rest.trim();
                    let lines = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
                    let title = title.to_owned();
                    sections.push(Section { title, lines: lines.into_iter().collect() });
                }
                _ => {
                    if let Some(section) = sections.last_mut() {
                        section.lines.push(line.to_owned());
                    }
                }
            }
        }
        sections
    }
}

/// An environment with nothing in it: what is printed does not depend on where it is printed.
struct Nothing;

impl Environment for Nothing {
    fn var(&self, _: &str) -> Option<OsString> {
        None
    }

    fn read_file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn names(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }

    fn user_id(&self) -> Option<u32> {
        None
    }
}
