//! Commands to the owners of rooms and users.

use std::{future::Future, sync::Arc};

use banyan_core::{LogId, ServiceError, ShardCount};
use banyan_proto::{
    roomserver::{PrepareRoomRequest, PrepareRoomResponse, room_service_client::RoomServiceClient},
    transport::Transport,
    userserver::user_service_client::UserServiceClient,
};
use banyan_runtime::{MAX_MESSAGE_BYTES, Role, ShardRouter};
use tonic::{Response, Status};

/// A connection to a roomserver.
pub(crate) type RoomClient = RoomServiceClient<Transport>;
/// A connection to a userserver.
pub(crate) type UserClient = UserServiceClient<Transport>;

/// Finds the owner of a room or user and calls it.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    router: Arc<ShardRouter>,
    shards: ShardCount,
}

impl Commands {
    pub(crate) const fn new(router: Arc<ShardRouter>, shards: ShardCount) -> Self {
        Self { router, shards }
    }

    /// Calls the owner of the shard of a room id or alias.
    pub(crate) async fn room<R, T, F, Fut>(&self, name: &str, request: R, call: F) -> Result<T, ServiceError>
    where
        R: Clone,
        F: Fn(RoomClient, R) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let log = LogId::rooms(self.shards.shard_of(name));
        self.router.call(log, |transport| call(room_client(transport), request.clone())).await
    }

    /// Calls the owner of the shard of a user id, or of another name that userservers own.
    pub(crate) async fn user<R, T, F, Fut>(&self, name: &str, request: R, call: F) -> Result<T, ServiceError>
    where
        R: Clone,
        F: Fn(UserClient, R) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let log = LogId::users(self.shards.shard_of(name));
        let client = |transport| UserServiceClient::new(transport).max_decoding_message_size(MAX_MESSAGE_BYTES);
        self.router.call(log, |transport| call(client(transport), request.clone())).await
    }

    /// Has a room's first event made, by any roomserver: only it says which shard the room belongs to.
    pub(crate) async fn prepare_room(&self, request: PrepareRoomRequest) -> Result<PrepareRoomResponse, ServiceError> {
        let key = request.caller.as_ref().map(|caller| caller.user_id.clone()).unwrap_or_default();
        let call = |transport| {
            let request = request.clone();
            async move { room_client(transport).prepare_room(request).await }
        };
        self.router.call_replica(Role::Roomserver, &key, call).await
    }
}

fn room_client(transport: Transport) -> RoomClient {
    RoomServiceClient::new(transport).max_decoding_message_size(MAX_MESSAGE_BYTES)
}
