//! Faults of connections and of HTTP itself.

use std::io::Read as _;
use std::time::Duration;

use super::client::get;
use super::login::{approving, planned};
use super::raw::{Ended, authority, clock, fetch, send};
use crate::mock::Gateway;

const JWKS: &str = "/.well-known/jwks.json";

/// A gateway with this fault.
fn with(fault: &str) -> Gateway {
    let gateway = approving();
    gateway.order(fault).unwrap();
    gateway
}

#[test]
fn connections_end_in_every_way() {
    for (fault, bytes, ended) in [
        ("net.reset", 0, Ended::Reset),
        ("net.fin", 0, Ended::Closed),
        ("net.half_open", 0, Ended::Silent),
        ("net.refuse", 0, Ended::Reset),
        ("net.limit_data=20", 20, Ended::Closed),
        ("net.reset_after=20", 20, Ended::Reset),
    ] {
        let gateway = with(&format!("{fault}#1"));
        let raw = fetch(&gateway, JWKS);
        assert_eq!((raw.bytes.len(), raw.ended), (bytes, ended), "{fault}");
        let next = fetch(&gateway, JWKS);
        assert!(next.text().ends_with('}'), "{fault}: {next:?}");
        assert_eq!(next.ended, Ended::Closed, "{fault}");
    }
}

#[test]
fn a_fault_keeps_to_its_route() {
    let gateway = with("net.reset@prm");
    assert_eq!(fetch(&gateway, JWKS).ended, Ended::Closed);
    assert_eq!(fetch(&gateway, "/.well-known/oauth-protected-resource").ended, Ended::Reset);
    gateway.clear_faults();
    assert_eq!(fetch(&gateway, "/.well-known/oauth-protected-resource").ended, Ended::Closed);
}

#[test]
fn a_fault_ends_with_its_request() {
    let gateway = approving();
    let whole = fetch(&gateway, JWKS).bytes.len();
    gateway.order(&format!("net.limit_data={}#1", whole + 10)).unwrap();
    let request = format!("GET {JWKS} HTTP/1.1\r\nHost: {}\r\n\r\n", authority(&gateway));
    let raw = send(&gateway, request.repeat(2).as_bytes());
    assert_eq!((raw.text().matches("\"keys\"").count(), raw.ended), (2, Ended::Silent));
}

#[test]
fn lines_can_be_slow() {
    for (fault, least) in [
        ("net.latency=100", 100),
        ("net.latency=150±50", 100),
        ("net.bandwidth=1KB/s", 150),
        ("http.drip=1000B/s", 150),
        ("net.slow_close=200", 200),
        ("page.slow=100", 0),
    ] {
        let raw = fetch(&with(fault), JWKS);
        assert!(raw.text().ends_with('}'), "{fault}");
        assert!(Duration::from_millis(least) <= raw.took, "{fault}: {:?}", raw.took);
    }
    let gateway = with("net.slicer=1");
    assert!(10 < fetch(&gateway, JWKS).n_reads);
}

#[test]
fn a_connection_can_take_leave() {
    let keep_alive = |gateway: &Gateway| {
        let head = format!("GET {JWKS} HTTP/1.1\r\nHost: {}\r\n\r\n", authority(gateway));
        send(gateway, head.as_bytes()).ended
    };
    assert_eq!(keep_alive(&approving()), Ended::Silent);
    assert_eq!(keep_alive(&with("net.h2_goaway")), Ended::Closed);
    assert!(!h2_frames(&approving()).contains(&7));
    assert!(h2_frames(&with("net.h2_goaway")).contains(&7));
}

/// The types of the frames that answer a request by HTTP/2 (RFC 9113 4.1).
fn h2_frames(gateway: &Gateway) -> Vec<u8> {
    let authority = authority(gateway);
    // RFC 7541: GET, http, and two literals without indexing.
    let mut block = vec![0x82, 0x86];
    for (name, value) in [(0x04, JWKS), (0x01, authority)] {
        block.extend([name, u8::try_from(value.len()).unwrap()]);
        block.extend(value.as_bytes());
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
    bytes.extend([u8::try_from(block.len()).unwrap(), 0x01, 0x05, 0, 0, 0, 1]);
    bytes.extend(block);
    let answer = send(gateway, &bytes).bytes;
    let mut types = Vec::new();
    let mut rest = answer.as_slice();
    while let [a, b, c, kind, _, _, _, _, _, more @ ..] = rest {
        types.push(*kind);
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        rest = &more[length..];
    }
    types
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let gateway = planned(|plan| plan.head_limit = Duration::from_millis(100));
    let _slow: Vec<_> =
        (0..50).map(|_| std::net::TcpStream::connect(authority(&gateway)).unwrap()).collect();
    for head in ["", "GET / HTTP/1.1\r\nHost: "] {
        assert_eq!(send(&gateway, head.as_bytes()).ended, Ended::Closed, "{head:?}");
    }
    assert!(fetch(&gateway, JWKS).text().ends_with('}'));
}

#[test]
fn answers_can_have_another_status() {
    let answer = |faults: &[&str]| {
        let gateway = approving();
        for fault in faults {
            gateway.order(fault).unwrap();
        }
        get(&format!("{}{JWKS}?a=b", gateway.base_url())).send()
    };
    assert_eq!(answer(&["http.status=502"]).status, 502);
    let seconds = answer(&["http.retry_after=7"]);
    assert_eq!((seconds.status, seconds.header("retry-after")), (429, Some("7")));
    let date = answer(&["http.retry_after=date+5", "http.status=503"]);
    assert_eq!(date.status, 503);
    assert!(date.header("retry-after").unwrap().ends_with(" GMT"));
    let moved = answer(&["http.redirect=https://elsewhere.example/a,b"]);
    assert_eq!(
        (moved.status, moved.header("location")),
        (307, Some("https://elsewhere.example/a,b"))
    );
    assert_eq!(answer(&["http.redirect=/x,301"]).status, 301);
    let again = answer(&["http.redirect_loop"]);
    assert_eq!((again.status, again.header("location")), (307, Some("/.well-known/jwks.json?a=b")));
    let cookie = answer(&["http.set_cookie"]);
    assert_eq!((cookie.status, cookie.header("set-cookie").is_some()), (200, true));
    let html = answer(&["http.wrong_content_type=text/html"]);
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html")));
    assert!(html.body.contains("keys"));
}

#[test]
fn bodies_and_heads_can_be_bombs() {
    let bomb = fetch(&with("http.gzip_bomb=3"), JWKS);
    assert!(bomb.text().contains("content-encoding: gzip\r\n") && bomb.bytes.len() < 10_000);
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(bomb.body()).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated.len(), 3 << 20);
    let big = fetch(&with("http.big_headers=1"), JWKS);
    assert!(1 << 20 < big.bytes.len() - big.body().len());
    let endless = fetch(&with("http.endless_body"), JWKS);
    assert!(2 << 20 <= endless.bytes.len());
    let garbage = fetch(&with("http.chunked_garbage"), JWKS);
    assert!(garbage.text().contains("\r\nnot a size\r\n") && garbage.ended == Ended::Closed);
    let two = fetch(&with("http.dup_content_length"), JWKS).text();
    assert_eq!(two.matches("Content-Length").count(), 2);
}

#[test]
fn pages_can_fail() {
    let gateway = with("page.500#1");
    let page = || get(&format!("{}/device", gateway.web_url())).send().status;
    assert_eq!(get(&format!("{}{JWKS}", gateway.base_url())).send().status, 200);
    assert_eq!((page(), page()), (500, 200));
    gateway.order("page.slow=100").unwrap();
    let began = clock();
    assert_eq!(page(), 200);
    assert!(100 <= clock().saturating_sub(began).as_millis());
}
