//! The accept loops: listeners that can go away for a while, connections that can be cut.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::fault::{Fault, Route};
use super::log::Site;
use super::state::Mock;
use super::wire::{End, Line, Scissors, Silent};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves one of the two origins, until the runtime ends.
pub(crate) async fn serve(
    mock: Arc<Mock>,
    site: Site,
    listener: std::net::TcpListener,
    router: Router,
) {
    let Ok(address) = listener.local_addr() else { return };
    let Ok(mut listener) = TcpListener::from_std(listener) else { return };
    // What strikes connections does so before anybody knows what they are for.
    let route = if site == Site::Gateway { Route::Other } else { Route::Page };
    let mut restarts = mock.restarts.subscribe();
    let cuts = watch::Sender::new(());
    loop {
        tokio::select! {
            biased;
            Ok(()) = restarts.changed(), if site == Site::Gateway => {
                let down = restarts.borrow_and_update().down;
                // In this order: who comes back at once finds nobody.
                drop(listener);
                cuts.send_replace(());
                tokio::time::sleep(down).await;
                listener = again(address).await;
            }
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => accept(&mock, route, &router, (tcp, peer), cuts.subscribe()),
                // Out of files: what is open has to end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
}

/// The same address once more; somebody may sit there for a moment.
async fn again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn accept(
    mock: &Arc<Mock>,
    route: Route,
    router: &Router,
    (tcp, peer): (TcpStream, SocketAddr),
    cuts: watch::Receiver<()>,
) {
    if mock.faults.strikes(route, &Fault::Refuse) {
        tcp.set_zero_linger().ok();
        return;
    }
    let scissors = Scissors::default();
    let line = Line::new(tcp, scissors.clone());
    let router = router.clone().layer(Extension(scissors.clone())).layer(Extension(Peer(peer)));
    let tls = mock.tls.as_ref().map(|tls| {
        TlsAcceptor::from(tls.config(mock.faults.take(route, |fault| match fault {
            Fault::TlsCertificate(flaw) => Some(*flaw),
            _ => None,
        })))
    });
    let head_limit = mock.plan.head_limit;
    tokio::spawn(async move {
        let Some(tls) = tls else {
            return connection(line, router, scissors, head_limit, cuts).await.ok();
        };
        // What goes wrong on a connection is the other end's to tell.
        let greeted = tokio::time::timeout(head_limit, tls.accept(line)).await;
        let silent = Silent { tls: greeted.ok()?.ok()?, scissors: scissors.clone() };
        connection(silent, router, scissors, head_limit, cuts).await.ok()
    });
}

async fn connection(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    scissors: Scissors,
    head_limit: Duration,
    mut cuts: watch::Receiver<()>,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Slow-loris.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_limit);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), service));
    // The builder's own limit begins with the first byte.
    let mut first = pin!(tokio::time::sleep(head_limit));
    loop {
        tokio::select! {
            () = first.as_mut(), if !first.is_elapsed() => {
                if !scissors.is_used() {
                    return Ok(());
                }
            }
            served = serving.as_mut() => return served.map_err(io::Error::other),
            () = scissors.leaves() => serving.as_mut().graceful_shutdown(),
            Ok(()) = cuts.changed() => {
                scissors.cut(End::Reset);
                return Ok(());
            }
        }
    }
}

/// An order to restart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Restart {
    /// How long nobody listens.
    pub(crate) down: Duration,
}
