//! Requests that a foreign page could make a browser send.

use super::client::get;
use super::login::approving;
use crate::mock::{Gateway, Plan};

/// The status of a request that carries this header.
fn with(gateway: &Gateway, name: &str, value: &str) -> u16 {
    let port = gateway.base_url().rsplit_once(':').unwrap().1;
    let metadata = format!("http://127.0.0.1:{port}/.well-known/oauth-authorization-server");
    get(&metadata).header(name, value).send().status
}

#[test]
fn foreign_names_and_origins_are_refused() {
    let gateway = approving();
    let web = gateway.web_url().to_owned();
    let port = gateway.base_url().rsplit_once(':').unwrap().1;
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "127.0.0.1".into()] {
        assert_eq!(with(&gateway, "Host", &host), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
    {
        assert_eq!(with(&gateway, "Host", host), 403, "{host}");
    }
    for origin in [gateway.base_url(), &web] {
        assert_eq!(with(&gateway, "Origin", origin), 200, "{origin}");
    }
    for origin in ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"] {
        assert_eq!(with(&gateway, "Origin", origin), 403, "{origin}");
    }
    let page = get(&format!("{web}/oauth/consent")).header("Host", "evil.example").send();
    assert_eq!(page.status, 403);
}

#[test]
fn who_listens_everywhere_is_reached_by_every_address_but_by_no_name() {
    let gateway_address = "0.0.0.0:0".parse().unwrap();
    let gateway = Gateway::start(Plan { gateway_address, ..Plan::default() }).unwrap();
    let port = gateway.base_url().rsplit_once(':').unwrap().1;
    for host in [format!("192.168.1.20:{port}"), "10.0.0.1".into(), "[fe80::1]:80".into()] {
        assert_eq!(with(&gateway, "Host", &host), 200, "{host}");
    }
    assert_eq!(with(&gateway, "Origin", &format!("http://192.168.1.20:{port}")), 200);
    for host in ["evil.example", "192.168.1.20.evil.example"] {
        assert_eq!(with(&gateway, "Host", host), 403, "{host}");
    }
}

#[test]
fn a_public_url_is_the_issuer_and_a_name_that_is_served() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let public = "https://mcp.example.com".to_owned();
    let plan = Plan {
        gateway_address: address,
        public_gateway_url: Some(public.clone()),
        ..Plan::default()
    };
    let gateway = Gateway::start(plan).unwrap();
    assert_eq!(gateway.sse_url("acme"), format!("{public}/mcp/acme/sse"));
    let metadata = format!("http://{address}/.well-known/oauth-authorization-server");
    let answer = get(&metadata).header("Host", "mcp.example.com").header("Origin", &public).send();
    assert_eq!(answer.json()["issuer"], public);
    for wrong in ["mcp.example.com", "https://mcp.example.com/", "ftp://mcp.example.com"] {
        let plan = Plan { public_web_url: Some(wrong.to_owned()), ..Plan::default() };
        assert!(Gateway::start(plan).is_err(), "{wrong}");
    }
}
