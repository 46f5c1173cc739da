//! What the user typed: read without looking at the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, FromArgMatches};

use super::argv::{self, Given};
use super::flags::{self, Flags};
use super::headers::Source;
use super::{Misuse, words};

/// The command line, every value still text.
pub(super) struct Typed {
    pub(super) flags: Flags,
    /// `--header` and `--header-file` in the order in which they were given.
    pub(super) headers: Vec<Source>,
    pub(super) warnings: Vec<String>,
    /// Flags that nobody knows, as far as they can be repeated.
    pub(super) unknown: Vec<String>,
    /// Why this is no bare form: somebody has meant a verb.
    pub(super) mistyped: Option<Misuse>,
}

/// Reads the arguments.
pub(super) fn read(args: Vec<OsString>) -> Result<Typed, Misuse> {
    let mut text = Vec::with_capacity(args.len());
    for (index, arg) in args.into_iter().enumerate() {
        let not_text = |_| Misuse::new(format!("argument {} is not valid UTF-8", index + 1));
        text.push(arg.into_string().map_err(not_text)?);
    }
    let command = flags::command();
    let mut sorted = argv::sort(text, &command);
    let chosen = words::choose(sorted.words)?;
    for (index, part) in chosen.header_parts {
        if let Some(Given { value: Some(value), .. }) = sorted.flags.get_mut(index) {
            value.push(' ');
            value.push_str(&part);
        }
    }
    if chosen.n_ignored > 0 {
        let n = chosen.n_ignored;
        sorted.warnings.push(format!("{n} more argument(s) after server and port are ignored"));
    }
    let cleaned = [String::new()]
        .into_iter()
        .chain(sorted.flags.into_iter().map(|Given { name, value }| match value {
            Some(value) => format!("--{name}={value}"),
            None => format!("--{name}"),
        }))
        .chain(["--".to_owned(), chosen.server.unwrap_or_default()])
        .chain(chosen.port);
    let (flags, headers) = command
        .try_get_matches_from(cleaned)
        .and_then(|matches| Ok((Flags::from_arg_matches(&matches)?, sources(&matches))))
        // Only a flag that `argv` and clap read differently can come here. Clap's own text might
        // repeat a value.
        .map_err(|error| Misuse::new(format!("the arguments make no sense: {}", error.kind())))?;
    let (warnings, unknown) = (sorted.warnings, sorted.unknown);
    Ok(Typed { flags, headers, warnings, unknown, mistyped: chosen.mistyped })
}

fn sources(matches: &ArgMatches) -> Vec<Source> {
    let arguments =
        given::<String>(matches, "header").map(|(index, text)| (index, Source::Argument(text)));
    let files =
        given::<PathBuf>(matches, "header_file").map(|(index, path)| (index, Source::File(path)));
    let mut sources: Vec<_> = arguments.chain(files).collect();
    sources.sort_by_key(|&(index, _)| index);
    sources.into_iter().map(|(_, source)| source).collect()
}

fn given<'a, T: Clone + Send + Sync + 'static>(
    matches: &'a ArgMatches,
    id: &'a str,
) -> impl Iterator<Item = (usize, T)> + 'a {
    let values = matches.get_many::<T>(id).into_iter().flatten().cloned();
    matches.indices_of(id).into_iter().flatten().zip(values)
}
