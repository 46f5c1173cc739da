//! Headers that the user configured: from arguments and files, `${NAME}` expanded, made safe.

use std::path::{Path, PathBuf};

use super::Misuse;
use super::environment::{Environment, is_set, setting};
use crate::config::{AccessMode, Header};
use crate::secret::Secret;

/// Where headers are given.
pub(super) enum Source {
    /// `--header`.
    Argument(String),
    /// `--header-file`.
    File(PathBuf),
}

/// A header before expansion.
pub(super) struct Template {
    pub(super) name: String,
    pub(super) text: String,
    in_arguments: bool,
}

/// True for `X:` and `Authorization: Bearer`: the rest may have been split off.
pub(super) fn lacks_value(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, value)| {
        let value = value.trim();
        is_token(name)
            && (value.is_empty() || SCHEMES.iter().any(|scheme| value.eq_ignore_ascii_case(scheme)))
    })
}

/// Reads the headers of all sources, in order.
pub(super) fn read(
    sources: &[Source],
    environment: &dyn Environment,
    warnings: &mut Vec<String>,
) -> Result<Vec<Template>, Misuse> {
    let mut templates = Vec::new();
    for source in sources {
        match source {
            Source::Argument(text) => match text.split_once(':') {
                Some((name, value)) if is_token(name) => {
                    templates.push(Template::new(name, value, true));
                }
                Some((name, _)) if looks_like_credential(name) => return Err(bad_name(name)),
                Some((name, _)) => {
                    warnings.push(format!("{}; it is not sent", bad_name(name).message));
                }
                None => warnings
                    .push("a `--header` is ignored, expected the form `NAME:VALUE`".to_owned()),
            },
            Source::File(path) => read_file(path, environment, &mut templates, warnings)?,
        }
    }
    Ok(templates)
}

/// Expands the headers; of two with one name the last counts.
pub(super) fn expand(
    templates: &[Template],
    environment: &dyn Environment,
    warnings: &mut Vec<String>,
) -> Result<Vec<Header>, Misuse> {
    let mut headers: Vec<Header> = Vec::new();
    let mut missing = None;
    for Template { name, text, .. } in templates {
        if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            warnings.push(format!("the header `{name}` is not sent: it is for the bridge to set"));
            continue;
        }
        // As `fetch` does: a line break at the end of a variable is no injection.
        let value = expand_text(text, environment)
            .map(|value| value.trim_matches(['\t', '\n', '\r', ' ']).to_owned());
        let value = match value {
            Ok(value) if value.is_empty() => Err("its value is empty".to_owned()),
            other => other,
        };
        match value {
            Ok(value) => {
                headers.retain(|header| !header.name.eq_ignore_ascii_case(name));
                headers.push(safe(name, value)?);
            }
            Err(reason) => {
                warnings.push(format!("the header `{name}` is not sent: {reason}"));
                if let Some(variable) = unset(text, environment).filter(|_| is_credential(name)) {
                    missing = missing.or(Some((name, variable.to_owned())));
                }
            }
        }
    }
    if let Some(name) = api_key(&headers, environment)? {
        headers.push(name);
    }
    match missing {
        // Without it a job would open a browser in front of which nobody sits.
        Some((name, variable)) if !headers.iter().any(|h| h.name.eq_ignore_ascii_case(name)) => {
            Err(Misuse::new(format!(
                "the environment variable `{variable}` of the header `{name}` is not set"
            ))
            .hint("set it where the program is started, empty if a browser may be opened instead"))
        }
        _ => Ok(headers),
    }
}

/// The first variable that is not there at all. One that is empty, or a bundle's setting that was
/// not filled in, is how an optional credential is left out.
fn unset<'a>(text: &'a str, environment: &dyn Environment) -> Option<&'a str> {
    let mut names = references(text).into_iter().map(|reference| reference.name);
    names.find(|name| !name.starts_with("user_config.") && environment.var(name).is_none())
}

/// Static if one of the headers is a credential of its own.
///
/// That is `Authorization` and every name that ends, without regard to case and to `-` and `_`, in
/// `apikey`, `accesskey`, `authkey` or `token`. A key that a proxy in front of the server asks for
/// (`CF-Access-Client-Secret`, `Cookie`, `Ocp-Apim-Subscription-Key`) goes together with a sign-in.
pub(super) fn access(headers: &[Header]) -> AccessMode {
    if headers.iter().any(|header| is_credential(&header.name)) {
        AccessMode::Static
    } else {
        AccessMode::OAuth
    }
}

/// The name of a credential that stands literally in the arguments.
pub(super) fn literal(templates: &[Template]) -> Option<&str> {
    let literal = templates.iter().find(|template| {
        template.in_arguments
            && is_sensitive(&template.name)
            && is_set(&template.text)
            && references(&template.text).is_empty()
    });
    literal.map(|template| template.name.as_str())
}

/// Warns once if there is one.
pub(super) fn warn_of_literals(templates: &[Template], warnings: &mut Vec<String>) {
    if let Some(name) = literal(templates) {
        warnings.push(format!(
            "other users of this machine can read `{name}` in the argument list; \
             put its value into the environment: `--header '{name}:${{NAME}}'`"
        ));
    }
}

impl Template {
    fn new(name: &str, value: &str, in_arguments: bool) -> Self {
        Self { name: name.to_owned(), text: value.trim_start().to_owned(), in_arguments }
    }
}

fn read_file(
    path: &Path,
    environment: &dyn Environment,
    templates: &mut Vec<Template>,
    warnings: &mut Vec<String>,
) -> Result<(), Misuse> {
    let shown = path.display();
    let text = environment.read_file(path).map_err(|error| {
        let misuse = Misuse::new(format!("the header file `{shown}` cannot be read: {error}"));
        if path.has_root() {
            misuse
        } else {
            misuse.hint("write its absolute path: MCP clients start programs in any folder")
        }
    })?;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':') {
            Some((name, value)) if is_token(name) => {
                templates.push(Template::new(name, value, false));
            }
            _ => warnings.push(format!(
                "line {} of the header file `{shown}` is ignored, expected `Name: value`",
                index + 1
            )),
        }
    }
    Ok(())
}

/// Replaces every `${NAME}`, or says why that is not possible.
pub(super) fn expand_text(text: &str, environment: &dyn Environment) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut end = 0;
    for Reference { start, name } in references(text) {
        if name.starts_with("user_config.") {
            return Err("its setting is not filled in".to_owned());
        }
        let value = setting(environment, name)
            .ok_or_else(|| format!("the environment variable `{name}` is not set or empty"))?
            .into_string()
            .map_err(|_| format!("the environment variable `{name}` is not valid UTF-8"))?;
        expanded.push_str(text.get(end..start).unwrap_or_default());
        expanded.push_str(&value);
        end = start + name.len() + "${}".len();
    }
    expanded.push_str(text.get(end..).unwrap_or_default());
    Ok(expanded)
}

/// `${name}`, and where its `$` stands.
struct Reference<'a> {
    start: usize,
    name: &'a str,
}

/// As mcp-remote's `\$\{([^}]+)}`: an empty name is no reference.
fn references(text: &str) -> Vec<Reference<'_>> {
    let mut references = Vec::new();
    let mut end = 0;
    for (start, opening) in text.match_indices("${") {
        let after = text.get(start + opening.len()..).unwrap_or_default();
        match after.split_once('}') {
            Some((name, _)) if !name.is_empty() && start >= end => {
                end = start + "${}".len() + name.len();
                references.push(Reference { start, name });
            }
            _ => {}
        }
    }
    references
}

/// `APEXMCP_API_KEY` as a header, unless one of its name is there.
fn api_key(headers: &[Header], environment: &dyn Environment) -> Result<Option<Header>, Misuse> {
    if headers.iter().any(|header| header.name.eq_ignore_ascii_case(API_KEY_HEADER)) {
        return Ok(None);
    }
    let Some(value) = setting(environment, API_KEY_VARIABLE) else {
        return Ok(None);
    };
    let value = value
        .into_string()
        .map_err(|_| Misuse::new(format!("`{API_KEY_VARIABLE}` is not valid UTF-8")))?;
    safe(API_KEY_HEADER, value.trim().to_owned()).map(Some)
}

fn safe(name: &str, value: String) -> Result<Header, Misuse> {
    // RFC 9110 5.5 allows a tab.
    if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err(Misuse::new(format!(
            "the value of the header `{name}` contains a line break or another control character"
        )));
    }
    Ok(Header { name: name.to_owned(), value: Secret::new(value) })
}

fn bad_name(name: &str) -> Misuse {
    // Only the part that is a token: what follows may belong to a value.
    let start: String = name.chars().take_while(|&c| is_token_char(c)).take(40).collect();
    Misuse::new(format!("the header name that begins with `{start}` is not a valid name"))
        .hint("write `--header 'NAME:VALUE'`")
}

/// RFC 9110 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_token_char)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// Whether somebody seems to have meant a credential, which must not be left out silently.
fn looks_like_credential(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let lower = name.to_ascii_lowercase();
    is_sensitive(&name) || SCHEMES.iter().any(|scheme| lower.starts_with(scheme))
}

fn is_credential(name: &str) -> bool {
    let name = folded(name);
    name == "authorization" || CREDENTIAL_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

pub(super) fn is_sensitive(name: &str) -> bool {
    is_credential(name)
        || ["secret", "cookie", "password", "key"].iter().any(|part| folded(name).contains(part))
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '_'], "")
}

const API_KEY_VARIABLE: &str = "APEXMCP_API_KEY";
const API_KEY_HEADER: &str = "X-API-Key";
const CREDENTIAL_ENDINGS: &[&str] = &["apikey", "accesskey", "authkey", "token"];
/// Headers that HTTP or MCP give a meaning to that only the bridge knows; another value would break
/// the conversation.
const RESERVED: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Authentication schemes that a credential follows after a blank.
const SCHEMES: &[&str] = &["bearer", "basic"];
