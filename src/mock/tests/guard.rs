//! Requests that a foreign page could make a browser send.

use super::client::get;
use super::login::approving;

#[test]
fn foreign_names_and_origins_are_refused() {
    let gateway = approving();
    let web = gateway.web_url().to_owned();
    let metadata = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
    let port = gateway.base_url().rsplit_once(':').unwrap().1;
    let with = |name: &str, value: &str| get(&metadata).header(name, value).send().status;
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "127.0.0.1".into()] {
        assert_eq!(with("Host", &host), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
    {
        assert_eq!(with("Host", host), 403, "{host}");
    }
    for origin in [gateway.base_url(), &web] {
        assert_eq!(with("Origin", origin), 200, "{origin}");
    }
    for origin in ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"] {
        assert_eq!(with("Origin", origin), 403, "{origin}");
    }
    let page = get(&format!("{web}/oauth/consent")).header("Host", "evil.example").send();
    assert_eq!(page.status, 403);
}
