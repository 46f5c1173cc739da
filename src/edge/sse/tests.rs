use tokio::sync::mpsc;

use super::*;
use crate::core::event::{Event, ExchangeId, HttpEvent};
use crate::core::jsonrpc;

const BAD: &[u8] = b"event: message\ndata: {\"method\":\"a\"}\n\n\
    id: 7\xff\nevent: message\ndata: {\"method\":\"b\xff\"}\n\n\
    event: message\ndata: {\"method\":\"c\"}\n\n";

/// The messages of a stream, each with whether it is one.
async fn read(endpoint: bool, body: &'static [u8]) -> Vec<(String, bool)> {
    let (events, mut inbox) = mpsc::channel(16);
    let budget = Budget::default();
    let to = Inbox { id: ExchangeId(1), events: &events, budget: &budget, pause: None };
    let response = Response::from(http::Response::new(body));
    let end =
        if endpoint { endpoint_stream(response, &to).await } else { stream(response, &to).await };
    assert_eq!(end, Ok(()));
    let mut seen = Vec::new();
    while let Ok(Event::Http(_, HttpEvent::Message(event))) = inbox.try_recv() {
        let text = String::from_utf8(event.data.to_vec()).unwrap();
        let good = jsonrpc::read(text.as_bytes()).is_ok();
        seen.push((text, good));
    }
    seen
}

#[test]
fn a_comment_is_a_sign_of_life() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for endpoint in [false, true] {
        let (events, mut inbox) = mpsc::channel(16);
        let budget = Budget::default();
        let to = Inbox { id: ExchangeId(1), events: &events, budget: &budget, pause: None };
        let response = Response::from(http::Response::new(": hello\n\ndata: {}\n\n"));
        runtime.block_on(async {
            let end = if endpoint {
                endpoint_stream(response, &to).await
            } else {
                stream(response, &to).await
            };
            assert_eq!(end, Ok(()));
        });
        let mut seen = Vec::new();
        while let Ok(Event::Http(_, event)) = inbox.try_recv() {
            seen.push(format!("{event:?}"));
        }
        assert_eq!(seen, ["Beat", "Message(2 bytes)"], "{endpoint}");
    }
}

#[test]
fn blocks_that_say_nothing_do_not_end_the_stream() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = b"foo: bar\n\nretry: x\n\nevent:\n\nid: a\0b\n\n\xef\xbb\xbfdata: x\n\ndata: {\"method\":\"a\"}\n\n";
    for endpoint in [false, true] {
        let seen = runtime.block_on(read(endpoint, body));
        let good = seen.iter().filter(|(_, good)| *good).count();
        assert_eq!(good, 1, "{endpoint} {seen:?}");
    }
}

#[test]
fn comments_do_not_count_and_do_not_hide_what_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let piece = |line: &'static str| -> Vec<u8> { line.repeat(9 << 20).into_bytes() };
    let end = |endpoint: bool, body: Vec<u8>| {
        let (events, mut inbox) = mpsc::channel(16);
        let budget = Budget::default();
        let to = Inbox { id: ExchangeId(1), events: &events, budget: &budget, pause: None };
        let response = Response::from(http::Response::new(body));
        runtime.block_on(async {
            let drain = async { while inbox.recv().await.is_some() {} };
            tokio::select! {
                end = async {
                    if endpoint {
                        endpoint_stream(response, &to).await
                    } else {
                        stream(response, &to).await
                    }
                } => end.map_err(|failure| failure.kind),
                () = drain => Ok(()),
            }
        })
    };
    for endpoint in [false, true] {
        // 72 MiB of comments, and an event of as much with comments between its lines.
        assert_eq!(end(endpoint, piece(":234567\n")), Ok(()), "{endpoint}");
        let large = piece("data: 7\n:\n");
        assert_eq!(end(endpoint, large), Err(FailureKind::TooLarge), "{endpoint}");
    }
}

#[test]
fn a_wait_is_heard_although_nothing_else_is_said() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (events, mut inbox) = mpsc::channel(16);
    let budget = Budget::default();
    let to = Inbox { id: ExchangeId(1), events: &events, budget: &budget, pause: None };
    let response = Response::from(http::Response::new("retry: 2500\n\n"));
    assert_eq!(runtime.block_on(endpoint_stream(response, &to)), Ok(()));
    let event = inbox.try_recv();
    let Ok(Event::Http(_, HttpEvent::Message(event))) = event else { panic!("{event:?}") };
    assert_eq!((event.retry, event.is_message()), (Some(2500), false));
}

#[test]
fn a_bad_byte_costs_its_event_and_not_the_stream() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for endpoint in [false, true] {
        let seen = runtime.block_on(read(endpoint, BAD));
        let good: Vec<_> = seen.iter().map(|(_, good)| *good).collect();
        assert_eq!(good, [true, false, true], "{endpoint} {seen:?}");
    }
}
