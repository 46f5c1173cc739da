//! Starting and stopping.

use std::net::TcpListener;

use super::client::get;
use super::login::approving;
use crate::mock::{Gateway, Plan};

#[test]
fn a_gateway_starts_and_stops_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let gateway = approving();
        let metadata = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
        assert_eq!(get(&metadata).send().status, 200);
        drop(gateway);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        for plan in [
            Plan { gateway_address: address, ..Plan::default() },
            Plan { web_address: address, ..Plan::default() },
        ] {
            let error = Gateway::start(plan).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        }
    });
}

#[test]
fn a_stopped_gateway_frees_its_ports() {
    let gateway = approving();
    let address = gateway.base_url().strip_prefix("http://").unwrap().to_owned();
    drop(gateway);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_wrong_plan_is_refused() {
    for organisations in [vec![], vec!["a/b".to_owned()], vec![String::new()]] {
        let error = Gateway::start(Plan { organisations, ..Plan::default() }).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}
