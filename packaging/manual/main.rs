//! Writes the manual pages and the completions of the command line.
//!
//! ```console
//! $ cargo run --example manual -- FOLDER YYYY-MM-DD
//! ```
//!
//! `FOLDER/man` and `FOLDER/completions` are made. All text comes from the program's own help, so
//! that there is one place where a flag is explained.

mod help;
mod page;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use apexmcp_bridge::cli;
use clap::{Arg, ArgAction, Command};
use clap_complete::{Shell, generate_to};

use self::help::Help;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let [folder, date] = arguments.as_slice() else {
        return fail("usage: manual FOLDER YYYY-MM-DD");
    };
    match write(&PathBuf::from(folder), &date.to_string_lossy()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("error: {error}")),
    }
}

fn fail(message: &str) -> ExitCode {
    use io::Write as _;
    writeln!(io::stderr().lock(), "{message}").ok();
    ExitCode::from(2)
}

fn write(folder: &Path, date: &str) -> io::Result<()> {
    let pages = folder.join("man");
    let completions = folder.join("completions");
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;

    let program = Help::of(&[])?;
    let verbs: Vec<(String, Help)> = program
        .verbs()
        .into_iter()
        .map(|verb| Help::of(&[&verb]).map(|help| (verb, help)))
        .collect::<io::Result<_>>()?;

    let names: Vec<&str> = verbs.iter().map(|(verb, _)| verb.as_str()).collect();
    let name = cli::command().get_name().to_owned();
    fs::write(pages.join(format!("{name}.1")), page::main(&program, &names, date)?)?;
    for (verb, help) in &verbs {
        fs::write(pages.join(format!("{name}-{verb}.1")), page::verb(verb, help, date)?)?;
    }

    // There is no verb `help`.
    let bare = cli::command().disable_help_subcommand(true);
    let mut command = verbs.iter().fold(bare, |command, (verb, help)| {
        command.subcommand(with_flags_of_the_bare_form(verb, help))
    });
    for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
        generate_to(shell, &mut command, name.as_str(), &completions)?;
    }
    mend_bash(&completions.join(format!("{name}.bash")), &name)
}

/// `clap_complete` 4.6 sets one state and looks for another when a program's name has a hyphen.
fn mend_bash(file: &Path, name: &str) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    fs::write(file, text.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__")))
}

/// A verb takes the flags of the bare form and its own.
fn with_flags_of_the_bare_form(verb: &str, help: &Help) -> Command {
    let bare = cli::command();
    let shared = bare.get_arguments().filter(|arg| !arg.is_positional()).cloned();
    let own = help.options().into_iter().map(|option| {
        let action = if option.value.is_some() { ArgAction::Set } else { ArgAction::SetTrue };
        let name = forever(option.name);
        let arg = Arg::new(name).long(name).help(option.text).action(action);
        match option.value {
            Some(value) => arg.value_name(forever(value)),
            None => arg,
        }
    });
    let mut own: Vec<Arg> = own.collect();
    let known = |arg: &Arg| own.iter().any(|it| it.get_long() == arg.get_long());
    let shared: Vec<Arg> = shared.filter(|arg| !known(arg)).collect();
    own.extend(shared);
    Command::new(forever(verb.to_owned()))
        .about(help.summary())
        .version(forever(bare.get_version().unwrap_or_default().to_owned()))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(Arg::new("SERVER").value_name("SERVER"))
        .args(own)
}

/// Clap keeps names for as long as the program runs, which is not long here.
fn forever(name: String) -> &'static str {
    name.leak()
}
