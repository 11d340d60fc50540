//! Connections to the other processes: one channel per address, and this process itself without a socket.

use std::{collections::HashMap, error::Error, fmt, io, sync::OnceLock, time::Duration};

use banyan_core::ServiceError;
use banyan_proto::{
    runtime::{PingRequest, PingResponse, node_service_client::NodeServiceClient},
    transport::Transport,
};
use futures::{
    FutureExt as _,
    future::{BoxFuture, WeakShared},
};
use parking_lot::{Mutex, RwLock};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

use crate::{NodeInfo, config::GrpcConfig};

/// The largest message between processes, in bytes. Services set it on their generated servers and clients.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// Channels kept at most; when there are more, all are forgotten and come back as they are used.
const MAX_CHANNELS: usize = 1024;

/// Who answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PingOutcome {
    /// This process does.
    Answered(NodeInfo),
    /// Nobody: the connection is refused.
    Refused,
    /// Nothing came back in time.
    Silent,
}

/// The transports to all processes.
pub struct Peers {
    addr: String,
    installation: String,
    config: GrpcConfig,
    local: OnceLock<Transport>,
    channels: RwLock<HashMap<String, Channel>>,
    /// Questions under way: who asks the same meanwhile gets the same answer.
    pings: Mutex<HashMap<String, WeakShared<BoxFuture<'static, PingOutcome>>>>,
}

impl Peers {
    /// Transports of the process that is reached at `addr` and belongs to the installation of this id.
    #[must_use]
    pub fn new(addr: String, installation: String, config: GrpcConfig) -> Self {
        Self { addr, installation, config, local: OnceLock::new(), channels: RwLock::default(), pings: Mutex::default() }
    }

    /// Sets the transport to this process's own services, once: calls to its own address take no socket from then on.
    pub fn set_local(&self, transport: Transport) {
        if self.local.set(transport).is_err() {
            tracing::error!("the transport to this process itself was set twice; keeping the first");
        }
    }

    /// The address of this process.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// The transport to a process. Does not connect yet: a call does, and fails fast if nobody answers.
    ///
    /// # Errors
    /// `Unavailable` if `addr` is no address.
    pub fn get(&self, addr: &str) -> Result<Transport, ServiceError> {
        if addr == self.addr
            && let Some(local) = self.local.get()
        {
            return Ok(local.clone());
        }
        if let Some(channel) = self.channels.read().get(addr) {
            return Ok(Transport::Remote(channel.clone()));
        }
        let channel = self.open(addr)?;
        let mut channels = self.channels.write();
        if channels.len() >= MAX_CHANNELS {
            channels.clear();
        }
        Ok(Transport::Remote(channels.entry(addr.to_owned()).or_insert(channel).clone()))
    }

    /// The id of the installation.
    #[must_use]
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// Asks who is at an address. A process of another installation counts as nobody. Questions to one address at the same time are
    /// one question, with the patience of the first.
    pub async fn ping(&self, addr: &str, patience: Duration) -> PingOutcome {
        let Ok(transport) = self.get(addr) else { return PingOutcome::Refused };
        let question = {
            let mut pings = self.pings.lock();
            pings.retain(|_, question| question.upgrade().is_some_and(|question| question.peek().is_none()));
            let under_way = pings.get(addr).and_then(WeakShared::upgrade);
            under_way.unwrap_or_else(|| {
                let question = ping(transport, addr.to_owned(), self.installation.clone(), patience).boxed().shared();
                pings.extend(question.downgrade().map(|weak| (addr.to_owned(), weak)));
                question
            })
        };
        question.await
    }

    fn open(&self, addr: &str) -> Result<Channel, ServiceError> {
        let endpoint = Endpoint::from_shared(format!("http://{addr}"))
            .map_err(|error| ServiceError::unavailable(format!("{addr:?} is no address: {error}")))?;
        let keepalive: Duration = self.config.keepalive_interval.into();
        Ok(endpoint
            .connect_timeout(self.config.connect_timeout.into())
            .tcp_nodelay(true)
            .http2_keep_alive_interval(keepalive)
            .keep_alive_timeout(self.config.keepalive_timeout.into())
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024)
            .connect_lazy())
    }
}

async fn ping(transport: Transport, addr: String, installation: String, patience: Duration) -> PingOutcome {
    let mut client = NodeServiceClient::new(transport);
    match timeout(patience, client.ping(PingRequest {})).await {
        Ok(Ok(answer)) if answer.get_ref().installation != installation => PingOutcome::Refused,
        Ok(Ok(answer)) => PingOutcome::Answered(node_info(&addr, answer.into_inner())),
        Ok(Err(status)) if is_refused(&status) => PingOutcome::Refused,
        Ok(Err(_)) | Err(_) => PingOutcome::Silent,
    }
}

fn node_info(addr: &str, answer: PingResponse) -> NodeInfo {
    let roles = answer.roles.iter().filter_map(|role| role.parse().ok()).collect();
    let addr = if answer.addr.is_empty() { addr.to_owned() } else { answer.addr };
    NodeInfo { id: answer.node_id, addr, roles, draining: answer.draining, version: answer.version }
}

/// Whether a call failed because the connection was refused: then nobody is there at all.
pub(crate) fn is_refused(status: &tonic::Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("addr", &self.addr).field("channels", &self.channels.read().len()).finish_non_exhaustive()
    }
}
