//! The least HTTP client that will do: one connection a request, nothing followed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use url::Url;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    url: Url,
    headers: Vec<(String, String)>,
    body: String,
}

pub(crate) fn get(url: &str) -> Request {
    request("GET", url)
}

pub(crate) fn post(url: &str) -> Request {
    request("POST", url)
}

pub(crate) fn request(method: &str, url: &str) -> Request {
    let url = Url::parse(url).unwrap();
    Request { method: method.into(), url, headers: Vec::new(), body: String::new() }
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, content_type: &str, body: &str) -> Self {
        self.body = body.into();
        self.header("Content-Type", content_type)
    }

    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body("application/x-www-form-urlencoded", &body)
    }

    /// A POST of a JSON-RPC message, as Streamable HTTP wants it.
    pub(crate) fn rpc(self, message: &str) -> Self {
        self.header("Accept", "application/json, text/event-stream")
            .body("application/json", message)
    }

    /// Sends it, and does not stay for the answer.
    pub(crate) fn leave(self) -> TcpStream {
        self.write()
    }

    fn write(&self) -> TcpStream {
        let authority = format!("{}:{}", self.url.host_str().unwrap(), self.url.port().unwrap());
        let mut tcp = TcpStream::connect(&authority).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let path = &self.url[url::Position::BeforePath..];
        let mut head = format!("{} {path} HTTP/1.1\r\nConnection: close\r\n", self.method);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head += &format!("Host: {authority}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        tcp.write_all(head.as_bytes()).unwrap();
        tcp
    }

    /// Sends it, and reads the head of the answer: none when the connection ends before.
    pub(crate) fn open(self) -> Option<Stream> {
        let tcp = self.write();
        let mut reader = BufReader::new(tcp);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(n) if n != 0 => {}
                _ => return None,
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines[1..]
            .iter()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Some(Stream { status, headers, reader, chunk: Vec::new() })
    }

    /// Sends it, and reads the whole answer.
    pub(crate) fn send(self) -> Answer {
        let mut stream = self.open().expect("an answer");
        let mut body = Vec::new();
        if stream.header("transfer-encoding").is_some() {
            while let Some(chunk) = stream.next_chunk() {
                body.extend(chunk);
            }
        } else {
            stream.reader.read_to_end(&mut body).unwrap();
        }
        let body = String::from_utf8(body).unwrap();
        Answer { status: stream.status, headers: stream.headers, body }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn location(&self) -> Url {
        assert_eq!(self.status, 303, "{}", self.body);
        Url::parse(self.header("location").unwrap()).unwrap()
    }
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    chunk: Vec<u8>,
}

impl Stream {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The next event, as name and data; none at the end, orderly or not.
    pub(crate) fn event(&mut self) -> Option<(String, String)> {
        let (mut name, mut data) = (String::new(), Vec::new());
        loop {
            let line = self.line()?;
            if let Some(value) = line.strip_prefix("event: ") {
                name = value.into();
            } else if let Some(value) = line.strip_prefix("data: ") {
                data.push(value.to_owned());
            } else if line.is_empty() && !data.is_empty() {
                return Some((name, data.join("\n")));
            }
        }
    }

    /// The data of the next event as JSON.
    pub(crate) fn message(&mut self) -> Value {
        let (name, data) = self.event().expect("an event");
        assert_eq!(name, "message");
        serde_json::from_str(&data).unwrap()
    }

    /// The next line of the stream.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.chunk.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.chunk.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            let more = self.next_chunk()?;
            self.chunk.extend(more);
        }
    }

    fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let mut size = String::new();
        self.reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        (size != 0).then_some(chunk)
    }
}
