//! The least gateway that measures a bridge and not itself: HTTP/1.1 on a thread a connection, no
//! OAuth, and answers that are made before they are asked for.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long the tool `slow` takes.
pub(crate) const SLOW: Duration = Duration::from_millis(300);

/// The streams of HTTP+SSE sessions by their number.
type Streams = Arc<Mutex<HashMap<u64, Arc<Mutex<TcpStream>>>>>;

/// Listens until the process ends.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Gateway {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let (streams, sessions) = (Streams::default(), Arc::new(AtomicU64::new(1)));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let streams = Arc::clone(&streams);
                let (sessions, requests) = (Arc::clone(&sessions), Arc::clone(&count));
                thread::spawn(move || serve(connection, &streams, &sessions, &requests));
            }
        });
        Ok(Self { address, requests })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests since the last look.
    pub(crate) fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

struct Request {
    method: String,
    target: String,
    body: Vec<u8>,
}

fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    while chunked {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        let begin = body.len();
        body.resize(begin + size + 2, 0);
        reader.read_exact(&mut body[begin..])?;
        body.truncate(begin + size);
        chunked = size != 0;
    }
    Ok(Some(Request { method, target, body }))
}

/// The raw text of a member of one of our own messages, up to what ends it.
pub(crate) fn member<'a>(message: &'a [u8], name: &str) -> Option<&'a str> {
    let begin = memchr::memmem::find(message, name.as_bytes())? + name.len();
    let rest = &message[begin..];
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    str::from_utf8(&rest[..end]).ok()
}

/// The answer to a message, or nothing if it wants none.
fn answer(message: &[u8]) -> Option<Vec<u8>> {
    let id = member(message, r#""id":"#)?;
    let begin = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#);
    if memchr::memmem::find(message, br#""method":"initialize""#).is_some() {
        let version = member(message, r#""protocolVersion":"#)?;
        let server = r#"{"name":"bench","version":"1"}"#;
        return Some(format!(
            r#"{begin}{{"protocolVersion":{version},"capabilities":{{"tools":{{}}}},"serverInfo":{server}}}}}"#
        ).into_bytes());
    }
    if memchr::memmem::find(message, br#""method":"tools/list""#).is_some() {
        return Some(format!(r#"{begin}{{"tools":[]}}}}"#).into_bytes());
    }
    if memchr::memmem::find(message, br#""name":"slow""#).is_some() {
        thread::sleep(SLOW);
    }
    let size = member(message, r#""size":"#).and_then(|size| size.parse().ok()).unwrap_or(2);
    let mut answer = Vec::with_capacity(size + 128);
    answer.extend_from_slice(begin.as_bytes());
    answer.extend_from_slice(br#"{"content":[{"type":"text","text":""#);
    answer.resize(answer.len() + size, b'x');
    answer.extend_from_slice(br#""}]}}"#);
    Some(answer)
}

/// How many notifications the message asks for before its answer.
fn flood(message: &[u8]) -> usize {
    member(message, r#""notifications":"#).and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn notification(number: usize) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{number}}}}}"#
    )
}

fn event(message: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(message.len() + 32);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(message);
    event.extend_from_slice(b"\n\n");
    event
}

fn chunk(out: &mut impl Write, data: &[u8]) -> io::Result<()> {
    // One write a chunk, as a server with a buffer does.
    let mut whole = format!("{:x}\r\n", data.len()).into_bytes();
    whole.extend_from_slice(data);
    whole.extend_from_slice(b"\r\n");
    out.write_all(&whole)
}

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn serve(
    connection: TcpStream,
    streams: &Streams,
    sessions: &AtomicU64,
    requests: &AtomicUsize,
) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut out = connection.try_clone()?;
    let mut reader = BufReader::with_capacity(64 << 10, connection);
    while let Some(request) = read_request(&mut reader)? {
        requests.fetch_add(1, Ordering::Relaxed);
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/sse") => return open(out, streams, sessions),
            ("GET", "/mcp") => {
                out.write_all(STREAM)?;
                out.flush()?;
            }
            ("POST", "/mcp") => post(&mut out, &request.body)?,
            ("POST", target) => {
                let session = target.rsplit('=').next().and_then(|number| number.parse().ok());
                let streams = streams.lock().unwrap();
                let stream = session.and_then(|session: u64| streams.get(&session)).cloned();
                drop(streams);
                out.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
                if let Some(stream) = stream {
                    post_sse(&stream, request.body)?;
                }
            }
            ("DELETE", _) => out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?,
            _ => out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
        }
    }
    Ok(())
}

/// Streamable HTTP.
fn post(out: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let count = flood(message);
    let Some(answer) = answer(message) else {
        return out.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    };
    if 0 < count {
        out.write_all(STREAM)?;
        let mut out = io::BufWriter::with_capacity(16 << 10, out);
        for number in 0..count {
            chunk(&mut out, &event(notification(number).as_bytes()))?;
        }
        chunk(&mut out, &event(&answer))?;
        out.write_all(b"0\r\n\r\n")?;
        return out.flush();
    }
    let length = answer.len();
    let mut whole = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    whole.extend_from_slice(&answer);
    out.write_all(&whole)
}

/// HTTP+SSE: opens the stream, which the process keeps.
fn open(mut out: TcpStream, streams: &Streams, sessions: &AtomicU64) -> io::Result<()> {
    let session = sessions.fetch_add(1, Ordering::Relaxed);
    out.write_all(STREAM)?;
    chunk(&mut out, format!("event: endpoint\ndata: /messages?id={session}\n\n").as_bytes())?;
    let stream = Arc::new(Mutex::new(out.try_clone()?));
    streams.lock().unwrap().insert(session, stream);
    // Until the client is gone.
    drop(out.read(&mut [0; 1]));
    streams.lock().unwrap().remove(&session);
    Ok(())
}

fn post_sse(stream: &Arc<Mutex<TcpStream>>, message: Vec<u8>) -> io::Result<()> {
    let respond = |stream: &Mutex<TcpStream>, message: &[u8]| -> io::Result<()> {
        let Some(answer) = answer(message) else { return Ok(()) };
        let stream = stream.lock().unwrap();
        let mut out = io::BufWriter::with_capacity(16 << 10, &*stream);
        for number in 0..flood(message) {
            chunk(&mut out, &event(notification(number).as_bytes()))?;
        }
        chunk(&mut out, &event(&answer))?;
        out.flush()
    };
    if memchr::memmem::find(&message, br#""name":"slow""#).is_some() {
        let stream = Arc::clone(stream);
        thread::spawn(move || respond(&stream, &message));
        return Ok(());
    }
    respond(stream, &message)
}
