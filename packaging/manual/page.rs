//! Manual pages, section 1.

use std::io;

use apexmcp_bridge::cli;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::help::{Help, Section};

/// The page of the program: its flags as clap has them, the rest of its help as it is.
pub(crate) fn main(help: &Help, verbs: &[&str], date: &str) -> io::Result<Vec<u8>> {
    // clap_mangen would set what follows the flags as one paragraph.
    let command = cli::command().after_help("").after_long_help("");
    let man = Man::new(command.clone()).date(date).manual(MANUAL);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    forms(help).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for section in after_the_flags(help) {
        as_it_is(&section).to_writer(&mut page)?;
    }
    let name = command.get_name();
    let pages: Vec<String> = verbs.iter().map(|verb| format!("{name}-{verb}")).collect();
    see_also(&pages).to_writer(&mut page)?;
    Ok(page)
}

/// The page of one verb.
pub(crate) fn verb(verb: &str, help: &Help, date: &str) -> io::Result<Vec<u8>> {
    let bare = cli::command();
    let name = format!("{}-{verb}", bare.get_name());
    let version = format!("{} {}", bare.get_name(), bare.get_version().unwrap_or_default());
    let mut roff = Roff::new();
    roff.control("TH", [name.as_str(), "1", date, &version, MANUAL]);
    roff.control("SH", ["NAME"]);
    let summary = help.summary();
    let mut letters = summary.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
    roff.text([roman(format!("{name} - {first}{}", letters.as_str()))]);
    let mut page = Vec::new();
    roff.to_writer(&mut page)?;
    forms(help).to_writer(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in help.description().split("\n\n").enumerate() {
        if 0 < index {
            roff.control("PP", []);
        }
        roff.text([roman(paragraph.replace('\n', " "))]);
    }
    roff.control("SH", ["OPTIONS"]);
    for option in help.options() {
        roff.control("TP", []);
        let value = option.value.map(|value| format!(" <{value}>")).unwrap_or_default();
        roff.text([bold(format!("--{}", option.name)), roman(value)]);
        roff.text([roman(option.text)]);
    }
    roff.control("PP", []);
    roff.text([roman("The flags of "), bold(bare.get_name()), roman("(1) can be given too.")]);
    roff.to_writer(&mut page)?;
    for section in help.sections().iter().filter(|it| it.title != "Options") {
        as_it_is(&without_pointer(section)).to_writer(&mut page)?;
    }
    see_also(&[bare.get_name().to_owned()]).to_writer(&mut page)?;
    Ok(page)
}

fn forms(help: &Help) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for (index, form) in help.usage().into_iter().enumerate() {
        if 0 < index {
            roff.control("br", []);
        }
        let (program, rest) = form.split_once(' ').unwrap_or((form, ""));
        roff.text([bold(program), roman(format!(" {rest}"))]);
    }
    roff
}

/// Line for line: tables and examples.
fn as_it_is(section: &Section) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [section.title.to_uppercase().as_str()]);
    roff.control("nf", []);
    let lines = section.lines.join("\n");
    for line in lines.trim_matches('\n').lines() {
        // In filled text a blank line is a paragraph, and in this it is one more warning.
        if line.is_empty() {
            roff.control("sp", [])
        } else {
            roff.text([roman(line)])
        };
    }
    roff.control("fi", []);
    roff
}

fn see_also(pages: &[String]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    for (index, page) in pages.iter().enumerate() {
        let comma = if index + 1 < pages.len() { "," } else { "" };
        roff.text([bold(page), roman(format!("(1){comma}"))]);
    }
    roff
}

/// What the main help says after its flags: from `Verbs` on.
fn after_the_flags(help: &Help) -> Vec<Section> {
    help.sections().into_iter().skip_while(|it| !it.title.starts_with("Verbs")).collect()
}

/// Without the pointer to the main help, in whose place stands SEE ALSO.
fn without_pointer(section: &Section) -> Section {
    let lines = section.lines.iter().filter(|line| !line.contains("--help` lists the flags"));
    Section { title: section.title.clone(), lines: lines.cloned().collect() }
}

const MANUAL: &str = "User Commands";
