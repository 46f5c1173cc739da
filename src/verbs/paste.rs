//! Where the browser runs on another machine it ends at an address that does not load there. The
//! person pastes that address here, and it is opened on this machine.

use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use url::Url;

use crate::config::Config;
use crate::core::oauth::discovery::is_loopback;
use crate::edge::redirect::STALE_TITLE;
use crate::edge::stdio::Log;

/// How long our own listener may take.
const LIMIT: Duration = Duration::from_secs(30);
/// No redirect is longer.
const MAX_LINE: u64 = 16 << 10;
/// Nor is a page of ours.
const MAX_ANSWER: u64 = 64 << 10;

/// Reads stdin until it ends, as long as the process runs.
pub(super) fn listen(config: &Config, log: &Log) {
    let (path, log) = (config.login.callback_path.clone(), log.clone());
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = String::new();
            match input.by_ref().take(MAX_LINE).read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            match redirect(line, &path) {
                Some(url) => match open(&url) {
                    Ok(true) => {}
                    Ok(false) => log.line(
                        "this address belongs to another sign-in; paste the one that the browser \
                         ended at last",
                    ),
                    Err(error) => log.line(&format!(
                        "error: nobody waits for that address on this machine: {error}"
                    )),
                },
                None => log.line(&format!(
                    "this is not the address that the browser ended at; it looks like \
                     `http://localhost:…{path}?code=…&state=…`"
                )),
            }
        }
    });
}

/// The address, if it is one that our listener waits for.
fn redirect(text: &str, path: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_ours = url.scheme() == "http" && is_loopback(&url) && url.path() == path;
    let has_state = url.query_pairs().any(|(name, _)| name == "state");
    (is_ours && has_state && url.port().is_some()).then_some(url)
}

/// Asks the listener as the browser would have; whether it was its own address.
fn open(url: &Url) -> io::Result<bool> {
    let port = url.port().unwrap_or_default();
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    let mut stream = TcpStream::connect(&addresses[..])?;
    stream.set_read_timeout(Some(LIMIT))?;
    let (host, query) = (url.host_str().unwrap_or_default(), url.query().unwrap_or_default());
    let request = format!(
        "GET {}?{query} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n",
        url.path()
    );
    stream.write_all(request.as_bytes())?;
    // What became of it is told by the sign-in itself.
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(!String::from_utf8_lossy(&answer).contains(STALE_TITLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_address_is_opened() {
        let path = "/oauth/callback";
        assert!(redirect("http://localhost:4177/oauth/callback?code=a&state=b", path).is_some());
        assert!(redirect("http://127.0.0.1:4177/oauth/callback?error=x&state=b", path).is_some());
        for bad in [
            "http://localhost:4177/oauth/callback?code=a",
            "http://localhost:4177/other?code=a&state=b",
            "http://evil.example:4177/oauth/callback?code=a&state=b",
            "https://localhost:4177/oauth/callback?code=a&state=b",
            "code=a&state=b",
        ] {
            assert!(redirect(bad, path).is_none(), "{bad}");
        }
    }
}
