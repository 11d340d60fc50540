//! The process's gRPC server: the same services over TCP and, for callers in the same process, without a socket.

use std::{io, net::SocketAddr, time::Duration};

use banyan_proto::transport::Transport;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};

use crate::{config::GrpcConfig, telemetry::propagation::ServerTraceLayer};

/// Adds what every service gets: spans and measurements of its requests.
#[must_use]
pub fn instrumented(routes: Routes) -> Routes {
    Routes::from(routes.into_axum_router().layer(ServerTraceLayer::default()))
}

/// The services as a transport without a socket.
#[must_use]
pub fn local(routes: &Routes) -> Transport {
    Transport::local(routes.clone())
}

/// Opens the listener.
///
/// # Errors
/// The system's, with the address: a port in use, an address that is not this machine's.
pub async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}"));
    TcpListener::bind(addr).await.map_err(explain)
}

/// Serves until `stop`, then finishes the requests under way.
///
/// # Errors
/// When accepting fails for good.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    config: &GrpcConfig,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let keepalive: Duration = config.keepalive_interval.into();
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(config.keepalive_timeout.into()))
        .max_concurrent_streams(config.max_concurrent_streams)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(8 * 1024 * 1024)
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned())
        .await
}
