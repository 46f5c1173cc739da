//! The host of a bridge, as quick as it can be, and what the kernel says of the process.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::gateway::member;

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) before: Vec<String>,
    pub(crate) after: Vec<String>,
}

/// A bridge that runs.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    stdin: Option<BufWriter<ChildStdin>>,
    stdout: BufReader<ChildStdout>,
    next: u64,
    over: Arc<AtomicBool>,
}

/// How long one candidate may take for a round; some bridges never answer a large message.
const LIMIT: Duration = Duration::from_secs(60);

/// Kills what takes too long, unless it is over by then.
fn watch(pid: Pid, over: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let begun = Instant::now();
        while !over.load(Ordering::Relaxed) {
            if LIMIT < begun.elapsed() {
                kill_process(pid, Signal::KILL).ok();
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

impl Host {
    pub(crate) fn start(candidate: &Candidate, url: &str, home: &str) -> io::Result<Self> {
        let mut child = Command::new(&candidate.program)
            .args(&candidate.before)
            .arg(url)
            .args(&candidate.after)
            .env_clear()
            .envs(std::env::var("PATH").map(|path| ("PATH", path)))
            .env("HOME", home)
            .env("XDG_STATE_HOME", home)
            .env("MCP_REMOTE_CONFIG_DIR", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        let stdin = Some(BufWriter::with_capacity(64 << 10, stdin));
        let stdout = BufReader::with_capacity(64 << 10, stdout);
        let over = Arc::new(AtomicBool::new(false));
        watch(Pid::from_child(&child), Arc::clone(&over));
        Ok(Self { child, stdin, stdout, next: 1, over })
    }

    /// Writes a message, which may stay in the buffer.
    pub(crate) fn write(&mut self, message: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(message.as_bytes())?;
        stdin.write_all(b"\n")
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.flush()
    }

    /// Reads a line.
    pub(crate) fn read(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        line.clear();
        match self.stdout.read_until(b'\n', line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Whether a whole line is here already.
    pub(crate) fn has_more(&self) -> bool {
        self.stdout.buffer().contains(&b'\n')
    }

    pub(crate) fn initialize(&mut self) -> io::Result<()> {
        let info = r#"{"name":"bench","version":"1"}"#;
        let params = format!(
            r#"{{"protocolVersion":"2025-06-18","capabilities":{{}},"clientInfo":{info}}}"#
        );
        let id = self.request("initialize", &params)?;
        self.flush()?;
        self.await_answer(id)?;
        self.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        self.flush()
    }

    /// Writes a request and tells its id.
    pub(crate) fn request(&mut self, method: &str, params: &str) -> io::Result<u64> {
        let id = self.next;
        self.next += 1;
        self.write(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ))?;
        Ok(id)
    }

    /// Reads up to the answer of a request; tells how many messages came before it, and its length.
    pub(crate) fn await_answer(&mut self, id: u64) -> io::Result<(usize, usize)> {
        let (mut line, mut before) = (Vec::new(), 0);
        loop {
            self.read(&mut line)?;
            if answers(&line) == Some(id) {
                return Ok((before, line.len()));
            }
            before += 1;
        }
    }

    /// A tool call and its answer.
    pub(crate) fn call(&mut self, arguments: &str) -> io::Result<(usize, usize)> {
        let id =
            self.request("tools/call", &format!(r#"{{"name":"echo","arguments":{arguments}}}"#))?;
        self.flush()?;
        self.await_answer(id)
    }

    fn proc(&self, file: &str) -> io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
    }

    /// A figure of a file in `/proc`, in KiB.
    pub(crate) fn memory(&self, file: &str, name: &str) -> io::Result<u64> {
        let text = self.proc(file)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        value.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)
    }

    /// What the process has used of the processors.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut total = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            total += text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Closes stdin; tells how long the process took to end.
    pub(crate) fn end(&mut self) -> io::Result<Duration> {
        self.over.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        self.stdin = None;
        while self.child.try_wait()?.is_none() {
            if Duration::from_secs(10) < begun.elapsed() {
                self.child.kill()?;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Before the kernel may give the number to somebody else.
        self.over.store(true, Ordering::Relaxed);
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The id that a line answers.
pub(crate) fn answers(line: &[u8]) -> Option<u64> {
    // Some put the id last, after the whole result.
    let ends = if line.len() <= 4096 { line } else { &line[..256] };
    member(ends, r#""id":"#)
        .or_else(|| member(&line[line.len().saturating_sub(64)..], r#""id":"#))?
        .parse()
        .ok()
}

/// The same calls with no bridge: what the gateway, the kernel and this program take.
#[derive(Debug)]
pub(crate) struct Direct {
    out: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Direct {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let out = TcpStream::connect(address)?;
        out.set_nodelay(true)?;
        let answers = BufReader::new(out.try_clone()?);
        Ok(Self { out, answers })
    }

    pub(crate) fn call(&mut self, message: &str) -> io::Result<()> {
        let length = message.len();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: direct\r\ncontent-length: {length}\r\n\r\n{message}"
        );
        self.out.write_all(request.as_bytes())?;
        let mut length = 0;
        loop {
            let mut header = String::new();
            self.answers.read_line(&mut header)?;
            if header.trim_end().is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.trim_end().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body)
    }
}
