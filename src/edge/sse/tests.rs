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
fn a_bad_byte_costs_its_event_and_not_the_stream() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for endpoint in [false, true] {
        let seen = runtime.block_on(read(endpoint, BAD));
        let good: Vec<_> = seen.iter().map(|(_, good)| *good).collect();
        assert_eq!(good, [true, false, true], "{endpoint} {seen:?}");
    }
}
