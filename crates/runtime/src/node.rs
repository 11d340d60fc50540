//! What a process answers to its peers about itself and its shards.

use std::sync::Arc;

use banyan_core::{Epoch, LogId, ServiceError};
use banyan_log::Node;
use banyan_proto::{
    runtime::{
        PingRequest, PingResponse, PrepareShardRequest, PrepareShardResponse, TakeShardRequest, TakeShardResponse,
        YieldShardRequest, YieldShardResponse,
        node_service_server::{NodeService, NodeServiceServer},
    },
    status::to_status,
};
use tonic::{Request, Response, Status};

use crate::{Context, Ownership};

/// The gRPC side of discovery and ownership.
pub(crate) struct NodeRpc {
    context: Context,
    ownership: Arc<Ownership>,
}

impl NodeRpc {
    pub(crate) const fn new(context: Context, ownership: Arc<Ownership>) -> Self {
        Self { context, ownership }
    }

    pub(crate) fn into_server(self) -> NodeServiceServer<Self> {
        NodeServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl NodeService for NodeRpc {
    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        let me = self.context.discovery.me();
        Ok(Response::new(PingResponse {
            node_id: me.id,
            owned: self.ownership.owned().iter().map(ToString::to_string).collect(),
            addr: me.addr,
            roles: me.roles.iter().map(ToString::to_string).collect(),
            draining: me.draining,
            version: me.version,
            installation: self.context.peers.installation().to_owned(),
        }))
    }

    async fn prepare_shard(&self, request: Request<PrepareShardRequest>) -> Result<Response<PrepareShardResponse>, Status> {
        let log = parse_log(&request.get_ref().log)?;
        self.ownership.prepare(log).await.map_err(|error| to_status(&error))?;
        Ok(Response::new(PrepareShardResponse {}))
    }

    async fn take_shard(&self, request: Request<TakeShardRequest>) -> Result<Response<TakeShardResponse>, Status> {
        let request = request.into_inner();
        let log = parse_log(&request.log)?;
        self.ownership.take(log, Epoch(request.epoch)).map_err(|error| to_status(&error))?;
        Ok(Response::new(TakeShardResponse {}))
    }

    async fn yield_shard(&self, request: Request<YieldShardRequest>) -> Result<Response<YieldShardResponse>, Status> {
        let request = request.into_inner();
        let log = parse_log(&request.log)?;
        let to = Node { id: request.node_id, addr: request.addr };
        Ok(Response::new(YieldShardResponse { accepted: self.ownership.give_up(log, &to) }))
    }
}

fn parse_log(text: &str) -> Result<LogId, Status> {
    text.parse().map_err(|error: banyan_core::shard::ParseLogIdError| to_status(&ServiceError::invalid_param(error.to_string())))
}
