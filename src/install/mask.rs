//! Credentials in configuration files, and how they are kept off the screen.

/// A text with every credential in it replaced by `…`. Better too many than too few: the value of
/// every variable, and of everything that sounds like a key.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The flag of a credential, with its value in the next line.
    let mut is_next = false;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let shown = if is_next { mask_strings(content) } else { mask_line(content) };
        is_next = !is_next && names_credential_flag(content);
        out.push_str(&shown);
        out.push_str(line.get(content.len()..).unwrap_or_default());
    }
    out
}

/// Whether something of that name is a credential.
pub fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Masks what follows each name of a credential or of a variable.
fn mask_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    loop {
        let start = rest.find(is_name_char).unwrap_or(rest.len());
        let (before, word) = rest.split_at(start);
        out.push_str(before);
        if word.is_empty() {
            return out;
        }
        let (name, after) = word.split_at(word.find(|c| !is_name_char(c)).unwrap_or(word.len()));
        out.push_str(name);
        rest = after;
        if !is_sensitive(name) && !is_variable(name) {
            continue;
        }
        let separators = after.len() - after.trim_start_matches(is_separator).len();
        let (gap, value) = after.split_at(separators);
        // A name alone, the reference to a variable, or what is no value.
        if !gap.contains([':', '=', ',']) && !gap.contains("\" \"") || value.starts_with("${") {
            continue;
        }
        out.push_str(gap);
        let quoted = gap.ends_with(['"', '\'']) || before.ends_with(['"', '\'']);
        let end = if quoted { value.find(['"', '\'']) } else { value.find([',', '}', ']']) };
        let (secret, after) = value.split_at(end.unwrap_or(value.len()));
        if !secret.is_empty() && !secret.starts_with(['[', '{']) {
            out.push('…');
            rest = after;
        } else {
            rest = value;
        }
    }
}

/// Masks every string of a line.
fn mask_strings(line: &str) -> String {
    let content = line.trim_start_matches(|c: char| " \t+-".contains(c));
    let lead = line.get(..line.len() - content.len()).unwrap_or_default();
    match content.chars().next() {
        Some('}' | ']' | '#' | '/') | None => line.to_owned(),
        _ => format!("{lead}…"),
    }
}

/// A line that ends with `"--api-key",` or the like.
fn names_credential_flag(line: &str) -> bool {
    let last = line.trim_end_matches(|c: char| " ,\"'".contains(c));
    let word = last.rsplit(|c: char| " \t\"'[".contains(c)).next().unwrap_or_default();
    word.starts_with("--") && is_sensitive(word)
}

/// By convention a variable's name is in capitals.
fn is_variable(name: &str) -> bool {
    1 < name.len()
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_separator(c: char) -> bool {
    " \t:=,\"'".contains(c)
}

const WORDS: &[&str] = &[
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "key",
    "passwd",
    "password",
    "secret",
    "token",
];
