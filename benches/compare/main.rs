//! Compares bridges in one run: how soon, how fast, and with how much memory. Linux only.
//!
//! `cargo bench` compares with a floor, `mini`; `docs/performance.md` says how to add others.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::exit,
    unreachable_pub,
    missing_docs,
    reason = "a program of its own, whose output is what it is for"
)]

mod gateway;
mod host;
mod mini;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use gateway::Gateway;
use host::{Candidate, Direct, Host, answers};

/// How often each candidate is measured, in turns.
const ROUNDS: usize = 5;
/// Calls one after the other in a round.
const CALLS: usize = 2000;
/// Calls in a round with [`IN_FLIGHT`] at a time.
const MANY: usize = 10_000;
const IN_FLIGHT: usize = 64;
const NOTIFICATIONS: usize = 50_000;

/// A column: the smaller, or the larger, the better.
type Figures = BTreeMap<&'static str, Vec<f64>>;

/// The figures in the order of the table, with their units.
const COLUMNS: [(&str, &str); 15] = [
    ("start", "spawn → initialize, ms"),
    ("requests", "HTTP requests to the first tools/list"),
    ("idle", "idle PSS, MiB"),
    ("p50", "tiny call p50, µs"),
    ("p99", "tiny call p99, µs"),
    ("rate", "64 in flight, calls/s"),
    ("cpu", "CPU of 1000 calls, ms"),
    ("growth", "memory after the calls, MiB more"),
    ("flood", "50 000 notifications, /s"),
    ("down1", "1 MiB results, MB/s"),
    ("up1", "1 MiB arguments, MB/s"),
    ("down16", "16 MiB results, MB/s"),
    ("up16", "16 MiB arguments, MB/s"),
    ("peak", "peak RSS of all that, MiB"),
    ("end", "stdin closed → gone, ms"),
];

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, transport, url] = &arguments[..]
        && flag == "--mini"
    {
        let address = url.split('/').nth(2).and_then(|address| address.parse().ok());
        return mini::run(transport == "sse", address.unwrap());
    }
    let peers = arguments.iter().filter_map(|argument| argument.strip_prefix("--peer="));
    let peers: Vec<_> = peers.map(peer).collect();
    let rounds = arguments.iter().find_map(|argument| argument.strip_prefix("--rounds="));
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    for transport in ["http", "sse"] {
        compare(transport, &peers, rounds)?;
    }
    Ok(())
}

/// `name=program argument … URL argument …`, split at spaces.
fn peer(text: &str) -> Candidate {
    let (name, command) = text.split_once('=').unwrap_or((text, text));
    let mut words = command.split_whitespace().map(str::to_owned);
    let program = words.next().unwrap_or_default();
    let words: Vec<_> = words.collect();
    let place = words.iter().position(|word| word == "URL").unwrap_or(words.len());
    let (before, after) = (words[..place].to_vec(), words.get(place + 1..).unwrap_or_default());
    Candidate { name: name.to_owned(), program, before, after: after.to_vec() }
}

fn compare(transport: &str, peers: &[Candidate], rounds: usize) -> io::Result<()> {
    let gateway = Gateway::start()?;
    let path = if transport == "sse" { "sse" } else { "mcp" };
    let url = format!("http://{}/{path}", gateway.address());
    let this = std::env::current_exe()?.to_string_lossy().into_owned();
    let mut candidates = vec![
        Candidate {
            name: "mini".to_owned(),
            program: this,
            before: vec!["--mini".to_owned(), transport.to_owned()],
            after: Vec::new(),
        },
        Candidate {
            name: "apexmcp-bridge".to_owned(),
            program: env!("CARGO_BIN_EXE_apexmcp-bridge").to_owned(),
            before: Vec::new(),
            after: Vec::new(),
        },
    ];
    candidates.extend_from_slice(peers);
    let home = tempfile::tempdir()?;
    let home = home.path().to_string_lossy().into_owned();
    let mut all: Vec<Figures> = vec![Figures::new(); candidates.len()];
    for round in 0..rounds {
        for (candidate, figures) in candidates.iter().zip(&mut all) {
            if let Err(error) = measure(&gateway, candidate, &url, &home, figures) {
                println!("{transport}, round {round}: {} failed: {error}", candidate.name);
            }
        }
    }
    println!("\n## {transport}\n\ndirect: a tiny call takes {:.0} µs\n", direct(&gateway)?);
    print!("{}", table(&candidates, &all));
    Ok(())
}

fn direct(gateway: &Gateway) -> io::Result<f64> {
    let mut direct = Direct::connect(gateway.address())?;
    let mut times = Vec::new();
    for id in 0..CALLS {
        let begun = Instant::now();
        direct.call(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{}}}}"#
        ))?;
        times.push(micros(begun.elapsed()));
    }
    Ok(quantile(&mut times, 0.5))
}

fn table(candidates: &[Candidate], all: &[Figures]) -> String {
    let mut text = String::from("| |");
    for candidate in candidates {
        let _ = write!(text, " {} |", candidate.name);
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(candidates.len()));
    for (name, title) in COLUMNS {
        let _ = write!(text, "\n| {title} |");
        for figures in all {
            match figures.get(name) {
                Some(values) => {
                    let value = quantile(&mut values.clone(), 0.5);
                    let _ = if value < 100.0 {
                        write!(text, " {value:.1} |")
                    } else {
                        write!(text, " {value:.0} |")
                    };
                }
                None => text.push_str(" – |"),
            }
        }
    }
    text.push('\n');
    text
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of a short list"
)]
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts, far below the limit")]
fn number(value: u64) -> f64 {
    value as f64
}

fn count(value: usize) -> f64 {
    number(u64::try_from(value).unwrap_or(u64::MAX))
}

/// One round of one candidate.
fn measure(
    gateway: &Gateway,
    candidate: &Candidate,
    url: &str,
    home: &str,
    figures: &mut Figures,
) -> io::Result<()> {
    let mut note = |name, value| figures.entry(name).or_default().push(value);
    let _ = gateway.requests();
    let begun = Instant::now();
    let mut host = Host::start(candidate, url, home)?;
    host.initialize()?;
    note("start", micros(begun.elapsed()) / 1e3);
    let list = host.request("tools/list", "{}")?;
    host.flush()?;
    host.await_answer(list)?;
    // What it does behind is counted too.
    std::thread::sleep(Duration::from_millis(300));
    note("requests", count(gateway.requests()));
    let idle = host.memory("smaps_rollup", "Pss:")?;
    note("idle", number(idle) / 1024.0);

    let mut times = Vec::with_capacity(CALLS);
    let cpu = host.cpu()?;
    for _ in 0..CALLS {
        let begun = Instant::now();
        host.call("{}")?;
        times.push(micros(begun.elapsed()));
    }
    note("cpu", host.cpu()?.saturating_sub(cpu).as_secs_f64() * 1e6 / count(CALLS));
    note("p50", quantile(&mut times, 0.5));
    note("p99", quantile(&mut times, 0.99));
    note("rate", count(MANY) / many(&mut host)?.as_secs_f64());
    note("growth", number(host.memory("smaps_rollup", "Pss:")?) / 1024.0 - number(idle) / 1024.0);

    let begun = Instant::now();
    let (before, _) = host.call(&format!(r#"{{"notifications":{NOTIFICATIONS}}}"#))?;
    if before != NOTIFICATIONS {
        return Err(io::Error::other(format!("{before} notifications came")));
    }
    note("flood", count(NOTIFICATIONS) / begun.elapsed().as_secs_f64());

    for (down, up, size, times) in [("down1", "up1", 1 << 20, 8), ("down16", "up16", 16 << 20, 1)] {
        let bytes = count(size * times) / 1e6;
        let begun = Instant::now();
        for _ in 0..times {
            host.call(&format!(r#"{{"size":{size}}}"#))?;
        }
        note(down, bytes / begun.elapsed().as_secs_f64());
        let padding = "y".repeat(size);
        let begun = Instant::now();
        for _ in 0..times {
            host.call(&format!(r#"{{"text":"{padding}"}}"#))?;
        }
        note(up, bytes / begun.elapsed().as_secs_f64());
    }
    note("peak", number(host.memory("status", "VmHWM:")?) / 1024.0);
    note("end", micros(host.end()?) / 1e3);
    Ok(())
}

/// Many calls with several at a time.
fn many(host: &mut Host) -> io::Result<Duration> {
    let params = r#"{"name":"echo","arguments":{}}"#;
    let begun = Instant::now();
    let (mut sent, mut answered, mut line) = (0, 0, Vec::new());
    while answered < MANY {
        // Answers come in bundles, and so do the next calls.
        while sent < MANY && sent - answered < IN_FLIGHT {
            host.request("tools/call", params)?;
            sent += 1;
        }
        host.flush()?;
        host.read(&mut line)?;
        answered += usize::from(answers(&line).is_some());
        while host.has_more() {
            host.read(&mut line)?;
            answered += usize::from(answers(&line).is_some());
        }
    }
    Ok(begun.elapsed())
}
