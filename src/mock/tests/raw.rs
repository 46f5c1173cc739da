//! The bytes of one exchange, and how the connection ended.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::mock::Gateway;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Closed,
    Reset,
    /// It did not, for a while.
    Silent,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) bytes: Vec<u8>,
    pub(crate) n_reads: usize,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

impl Raw {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn body(&self) -> &[u8] {
        let at = self.bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a head");
        &self.bytes[at + 4..]
    }
}

pub(crate) fn authority(gateway: &Gateway) -> &str {
    gateway.base_url().split("://").nth(1).unwrap()
}

/// Milliseconds since long ago.
pub(crate) fn clock() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// GET, on a connection that shall be closed.
pub(crate) fn fetch(gateway: &Gateway, path: &str) -> Raw {
    let authority = authority(gateway);
    let head = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    send(gateway, head.as_bytes())
}

/// Sends bytes, and reads as long as something comes; no more than two megabytes
/// and one second.
pub(crate) fn send(gateway: &Gateway, bytes: &[u8]) -> Raw {
    let began = clock();
    let mut tcp = TcpStream::connect(authority(gateway)).unwrap();
    tcp.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let mut raw = Raw { bytes: Vec::new(), n_reads: 0, ended: Ended::Silent, took: Duration::ZERO };
    if tcp.write_all(bytes).is_err() {
        raw.ended = Ended::Reset;
        return raw;
    }
    let mut buffer = vec![0; 1 << 16];
    let patience = Duration::from_secs(1);
    while raw.bytes.len() < 2 << 20 && clock().saturating_sub(began) < patience {
        match tcp.read(&mut buffer) {
            Ok(0) => raw.ended = Ended::Closed,
            Ok(n) => {
                raw.n_reads += 1;
                raw.bytes.extend(&buffer[..n]);
                continue;
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                    raw.ended = Ended::Reset;
                }
                _ => raw.ended = Ended::Silent,
            },
        }
        break;
    }
    raw.took = clock().saturating_sub(began);
    raw
}
