//! A server of one document.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// Serves one document once; it is made from its URL.
pub(crate) fn serve(document: impl FnOnce(&str) -> String) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/client.json", listener.local_addr().unwrap());
    let document = document(&url);
    let server = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let n = tcp.read(&mut buffer).unwrap();
            request.extend(&buffer[..n]);
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", document.len());
        tcp.write_all((head + &document).as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, server)
}
