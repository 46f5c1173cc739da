use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

#[tokio::test(start_paused = true)]
async fn what_lay_in_the_socket_counts_although_the_limit_has_passed() {
    let limit = Duration::from_secs(20);
    // Whoever was stopped finds the limit passed before anybody has looked at the socket.
    let late = |by| async move {
        tokio::time::sleep(limit + by).await;
        Ok(())
    };
    assert_eq!(within(Some(limit), late(AWAKE / 2)).await, Ok(()));
    assert!(within(Some(limit), late(AWAKE * 2)).await.is_err());
}

/// Answers whatever comes on every connection, and counts the connections.
fn serve(listener: TcpListener) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while connection.read(&mut buffer).await.is_ok_and(|n| 0 < n) {
                    let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
                    connection.write_all(answer).await.ok();
                }
            });
        }
    });
    count
}

#[tokio::test]
async fn after_a_sleep_no_connection_of_before_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let count = serve(listener);
    let (events, mut inbox) = tokio::sync::mpsc::channel(8);
    let mut http = Http::new(Network::default(), &url, events);
    for (id, connections) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
        if id == 3 {
            http.renew();
        }
        let (method, headers) = (http::Method::GET, http::HeaderMap::new());
        let (url, expect) = (url.clone(), Expect::Acknowledgement);
        http.start(ExchangeId(id), Request { method, url, headers, body: None, expect });
        let event = inbox.recv().await;
        assert!(matches!(event, Some(Event::Http(_, HttpEvent::Answered(..)))), "{event:?}");
        assert_eq!(count.load(Ordering::Relaxed), connections, "request {id}");
    }
}

#[test]
fn a_large_answer_of_the_host_may_take_its_time() {
    let request = |size| Request {
        method: http::Method::POST,
        url: Url::parse("http://127.0.0.1/").unwrap(),
        headers: http::HeaderMap::new(),
        body: Some(Bytes::from(vec![0; size])),
        expect: Expect::Acknowledgement,
    };
    assert_eq!(upload(&request(1000)), Duration::ZERO);
    assert_eq!(upload(&request(16 << 20)), Duration::from_secs(512));
}
