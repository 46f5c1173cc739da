//! A server that answers with whatever bytes a test wants: the mock gateway only speaks HTTP that
//! makes sense.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// A request, and the connection on which it came.
pub struct Request {
    pub method: String,
    /// The header lines, as they came.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    pub connection: TcpStream,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn reply(&mut self, status: u16, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
        self.write(head.as_bytes());
        self.write(body);
    }

    /// Begins an event stream that ends with the connection.
    pub fn stream(&mut self) {
        self.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    }

    /// A bridge that has ended reads nothing.
    pub fn write(&mut self, bytes: &[u8]) {
        self.connection.write_all(bytes).ok();
    }

    /// Says nothing until the bridge closes the connection.
    pub fn hold(&mut self) {
        self.connection.read_exact(&mut [0]).ok();
    }

    /// What every server does: the handshake, and nothing else.
    pub fn shake_hands(&mut self) {
        let message = self.json();
        if message["method"] == "initialize" {
            let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {} });
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            let headers = "content-type: application/json\r\nmcp-session-id: s1\r\n";
            self.reply(200, headers, answer.to_string().as_bytes());
        } else if self.method == "GET" {
            self.reply(405, "", b"");
        } else {
            self.reply(202, "", b"");
        }
    }
}

/// Starts a server that lives as long as the test, and returns its origin.
pub fn serve(answer: impl Fn(&mut Request) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut input = BufReader::new(connection.try_clone().unwrap());
                while let Some(mut request) = read(&mut input, &connection) {
                    answer(&mut request);
                }
            });
        }
    });
    origin
}

fn read(input: &mut BufReader<TcpStream>, connection: &TcpStream) -> Option<Request> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let method = words.next()?;
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        headers.push(line.trim_end().to_owned());
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(Request { method, headers, body, connection: connection.try_clone().ok()? })
}
