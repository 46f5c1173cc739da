//! The least program that can forward a message: the floor that a bridge is measured against. It
//! writes requests one behind the other on one connection, and believes everything that it reads.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process;
use std::thread;

/// Forwards between stdin, stdout and the gateway until stdin ends.
pub(crate) fn run(sse: bool, address: SocketAddr) -> io::Result<()> {
    let connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    let answers = BufReader::with_capacity(64 << 10, connection.try_clone()?);
    let mut target = "/mcp".to_owned();
    if sse {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /sse HTTP/1.1\r\nhost: mini\r\n\r\n")?;
        let mut events = BufReader::with_capacity(64 << 10, stream);
        target = endpoint(&mut events)?;
        thread::spawn(move || print_events(&mut Chunks::new(events), b'\n'));
        thread::spawn(move || print_answers(answers));
    } else {
        thread::spawn(move || print_answers(answers));
    }
    let mut lines = BufReader::with_capacity(64 << 10, io::stdin().lock());
    let (mut line, mut request) = (Vec::new(), Vec::new());
    let mut out = connection;
    while lines.read_until(b'\n', &mut line)? != 0 {
        request.clear();
        let length = line.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: mini\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: {length}\r\n\r\n"
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(&line);
        out.write_all(&request)?;
        line.clear();
        if 1 << 20 < request.capacity() {
            (line, request) = (Vec::new(), Vec::new());
        }
    }
    process::exit(0);
}

/// The path that the first event names.
fn endpoint(events: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        events.read_line(&mut line)?;
    }
    let target = line["data: ".len()..].trim_end().to_owned();
    // The empty line of the event, and the end of its chunk.
    events.read_line(&mut line)?;
    events.read_line(&mut line)?;
    Ok(target)
}

/// What is in the chunks of a body that has no other end.
struct Chunks<R> {
    inner: R,
    left: usize,
}

impl<R: BufRead> Chunks<R> {
    fn new(inner: R) -> Self {
        Self { inner, left: 0 }
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut size = String::new();
            self.inner.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            if self.left == 0 {
                self.inner.read_line(&mut size)?;
                return Ok(0);
            }
        }
        let most = into.len().min(self.left);
        let count = self.inner.read(&mut into[..most])?;
        self.left -= count;
        if self.left == 0 && count != 0 {
            let mut end = String::new();
            self.inner.read_line(&mut end)?;
        }
        Ok(count)
    }
}

fn print_events(body: &mut impl Read, end: u8) -> io::Result<()> {
    let mut events = BufReader::with_capacity(64 << 10, body);
    let mut line = Vec::new();
    loop {
        line.clear();
        if events.read_until(end, &mut line)? == 0 {
            return Ok(());
        }
        if let Some(data) = line.strip_prefix(b"data: ") {
            io::stdout().lock().write_all(data)?;
        }
        if 1 << 20 < line.capacity() {
            line = Vec::new();
        }
    }
}

fn print_answers(mut answers: BufReader<TcpStream>) -> io::Result<()> {
    let mut body = Vec::new();
    loop {
        let (mut length, mut chunked) = (0_usize, false);
        loop {
            let mut header = String::new();
            if answers.read_line(&mut header)? == 0 {
                return Ok(());
            }
            if header.trim_end().is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.trim_end().parse().unwrap_or(0);
            }
            chunked |= header.starts_with("transfer-encoding");
        }
        if chunked {
            print_events(&mut Chunks::new(&mut answers), b'\n')?;
        } else if 0 < length {
            body.clear();
            body.resize(length, 0);
            answers.read_exact(&mut body)?;
            body.push(b'\n');
            io::stdout().lock().write_all(&body)?;
            if 1 << 20 < body.capacity() {
                body = Vec::new();
            }
        }
    }
}
