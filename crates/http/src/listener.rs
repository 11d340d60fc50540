//! Sockets: HTTP/1.1 and HTTP/2, plain or TLS, drained gracefully.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown, graceful::Watcher},
    service::TowerToHyperService,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    client_addr::PeerAddr,
    tls::{CertificateConfig, Certificates, TlsError},
};

/// A socket that is listened on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenConfig {
    /// Address and port, for example `127.0.0.1:8008` or `[::]:8448`. Port 0 takes any free one.
    pub address: SocketAddr,
    /// Certificates. Empty: plain HTTP, for a proxy in front that ends TLS.
    #[serde(default)]
    pub tls: Vec<CertificateConfig>,
    /// Connections at once; more wait to be accepted.
    #[serde(default = "default_connections")]
    pub max_connections: usize,
}

const fn default_connections() -> usize {
    65_536
}

impl ListenConfig {
    /// Plain HTTP on `address`.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self { address, tls: Vec::new(), max_connections: default_connections() }
    }
}

/// A socket that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    certificates: Option<Certificates>,
    max_connections: usize,
}

/// How often the certificates' files are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(10);
/// How long a handshake, or the head of an HTTP/1.1 request, may take.
const SLOW_CLIENT: Duration = Duration::from_secs(15);

impl Listener {
    /// Binds the address and reads the certificates.
    ///
    /// # Errors
    /// The address or a certificate cannot be used.
    pub async fn bind(config: &ListenConfig) -> Result<Self, ListenError> {
        let certificates = if config.tls.is_empty() { None } else { Some(Certificates::load(&config.tls)?) };
        let failed = |source| ListenError::Bind { address: config.address, source };
        let socket = TcpListener::bind(config.address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, certificates, max_connections: config.max_connections.max(1) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// Serves until `stop`; then takes no more connections, lets requests end for at most `drain`, and cuts the rest.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub async fn serve(mut self, router: Router, stop: CancellationToken, drain: Duration) -> Result<(), ListenError> {
        let acceptor = match &self.certificates {
            Some(certificates) => Some(TlsAcceptor::from(Arc::new(certificates.server_config()?))),
            None => None,
        };
        let permits = Arc::new(Semaphore::new(self.max_connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut check = tokio::time::interval(CERTIFICATE_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = check.tick() => self.reload_certificates().await,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                (stream, peer, permit) = accept(&self.socket, &permits) => {
                    let connection = Connection { router: router.clone(), peer, acceptor: acceptor.clone(), watcher: graceful.watcher() };
                    connections.spawn(connection.run(stream, permit));
                }
            }
        }
        drop(self.socket);
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(address = %self.address, open = connections.len(), "requests that did not end in time are cut");
        }
        connections.shutdown().await;
        Ok(())
    }

    async fn reload_certificates(&mut self) {
        let Some(mut certificates) = self.certificates.clone() else { return };
        let reload = tokio::task::spawn_blocking(move || {
            let outcome = certificates.reload_if_changed();
            (certificates, outcome)
        });
        let Ok((certificates, outcome)) = reload.await else { return };
        match outcome {
            Ok(false) => {}
            Ok(true) => tracing::info!(address = %self.address, "certificates were loaded again"),
            Err(error) => {
                tracing::error!(address = %self.address, %error, "changed certificates cannot be used; the old ones stay");
            }
        }
        self.certificates = Some(certificates);
    }
}

/// The next connection, once there is room for it.
async fn accept(socket: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    let permit = permits.clone().acquire_owned().await.ok();
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                // Out of file descriptors, mostly: they come back when connections end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What a connection's task needs.
struct Connection {
    router: Router,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: TcpStream, permit: Option<OwnedSemaphorePermit>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        match self.acceptor.clone() {
            None => self.serve(stream).await,
            Some(acceptor) => match tokio::time::timeout(SLOW_CLIENT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.serve(stream).await,
                Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(peer = %self.peer, "a TLS handshake took too long"),
            },
        }
        drop(permit);
    }

    async fn serve<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: IO) {
        let Self { router, peer, watcher, .. } = self;
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(PeerAddr(peer));
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(SLOW_CLIENT);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(256).keep_alive_interval(Duration::from_secs(60));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, error = %error, "a connection ended early");
        }
    }
}
