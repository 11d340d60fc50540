//! The gRPC service: unpack, run one use case in the shard it belongs to, wrap.

use std::{sync::Arc, time::Duration};

use banyan_core::{ServiceError, ShardId};
use banyan_proto::{
    roomserver::{
        ChangeMembershipRequest, ChangeMembershipResponse, ClaimAliasRequest, ClaimAliasResponse, CreateRoomRequest,
        CreateRoomResponse, ForgetRoomRequest, ForgetRoomResponse, GetTypingRequest, GetTypingResponse, NoteDeviceListRequest,
        NoteDeviceListResponse, PrepareRoomRequest, PrepareRoomResponse, PublishRoomRequest, PublishRoomResponse,
        ReleaseAliasRequest, ReleaseAliasResponse, SendEventRequest, SendEventResponse, SetReceiptsRequest, SetReceiptsResponse,
        SetTypingRequest, SetTypingResponse, SpreadProfileRequest, SpreadProfileResponse, UpgradeRoomRequest, UpgradeRoomResponse,
        room_service_server::RoomService,
    },
    status::to_status,
};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId};
use tonic::{Request, Response, Status};

use crate::{
    actor::Caller,
    app::{
        change_membership::{self, ChangeMembership},
        claim_alias,
        create_room::{self, CreateRoom},
        forget_room,
        note_device_list::{self, NoteDeviceList},
        prepare_room::{self, PrepareRoom},
        publish_room::{self, PublishRoom},
        release_alias,
        send_event::{self, SendEvent},
        set_receipts::{self, SetReceipts},
        set_typing::{self, SetTyping},
        spread_profile::{self, SpreadProfile},
        upgrade_room::{self, UpgradeRoom},
    },
    host::Inner,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Rpc {
    inner: Arc<Inner>,
}

impl Rpc {
    pub(crate) const fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Counts a command and wraps its answer.
    fn answer<T>(&self, name: &'static str, result: Result<T, ServiceError>) -> Result<Response<T>, Status> {
        self.inner.metrics.command(name, result.is_ok());
        result.map(Response::new).map_err(|error| to_status(&error))
    }

    fn prepare(&self, request: PrepareRoomRequest) -> Result<PrepareRoomResponse, ServiceError> {
        let PrepareRoomRequest { caller, room_version, content } = request;
        let command = PrepareRoom { caller: Caller::read(caller)?, room_version, content };
        let create = prepare_room::prepare_room(&self.inner.shared, &command)?;
        Ok(PrepareRoomResponse { room_id: create.room_id().to_string(), create_pdu: create.json().clone() })
    }

    async fn create(&self, request: CreateRoomRequest) -> Result<CreateRoomResponse, ServiceError> {
        let command = CreateRoom {
            caller: Caller::read(request.caller)?,
            room_id: room(&request.room_id)?,
            create_pdu: request.create_pdu,
            request: request.request,
            profile: banyan_proto::roomserver::Profile { displayname: request.displayname, avatar_url: request.avatar_url },
            alias: request.alias,
            invited_profiles: request.invited_profiles.into_iter().collect(),
        };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        let room_id = shard.run(create_room::create_room(shard.clone(), command)).await?;
        Ok(CreateRoomResponse { room_id: room_id.to_string() })
    }

    async fn send(&self, request: SendEventRequest) -> Result<SendEventResponse, ServiceError> {
        let command = SendEvent {
            caller: Caller::read(request.caller)?,
            room_id: room(&request.room_id)?,
            event_type: request.r#type,
            state_key: request.state_key,
            content: request.content,
            redacts: request.redacts,
            txn_id: request.txn_id,
            txn_scope: request.txn_scope,
        };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        let event_id = shard.run(send_event::send_event(shard.clone(), command)).await?;
        Ok(SendEventResponse { event_id: event_id.to_string() })
    }

    async fn change(&self, request: ChangeMembershipRequest) -> Result<ChangeMembershipResponse, ServiceError> {
        let action = request.action();
        let target = UserId::parse(request.target.as_str())
            .map_err(|_| ServiceError::invalid_param(format!("{:?} is not a user id", request.target)))?;
        let command = ChangeMembership {
            caller: Caller::read(request.caller)?,
            room_id: room(&request.room_id)?,
            target,
            action,
            reason: request.reason,
            profile: request.profile.unwrap_or_default(),
            content: request.content,
            third_party_signed: request.third_party_signed,
        };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        let event_id = shard.run(change_membership::change_membership(shard.clone(), command)).await?;
        Ok(ChangeMembershipResponse { event_id: event_id.to_string() })
    }

    async fn forget(&self, request: ForgetRoomRequest) -> Result<ForgetRoomResponse, ServiceError> {
        let (caller, room_id) = (Caller::read(request.caller)?, room(&request.room_id)?);
        let shard = self.inner.shard_of(room_id.as_str())?;
        shard.run(forget_room::forget_room(shard.clone(), caller, room_id)).await?;
        Ok(ForgetRoomResponse {})
    }

    async fn typing(&self, request: SetTypingRequest) -> Result<SetTypingResponse, ServiceError> {
        let SetTypingRequest { caller, room_id, typing, timeout_ms } = request;
        let typing = typing.then(|| Duration::from_millis(timeout_ms));
        let command = SetTyping { caller: Caller::read(caller)?, room_id: room(&room_id)?, typing };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        shard.run(set_typing::set_typing(shard.clone(), command)).await?;
        Ok(SetTypingResponse {})
    }

    async fn who_types(&self, request: GetTypingRequest) -> Result<GetTypingResponse, ServiceError> {
        let shard = u16::try_from(request.shard).map_err(|_| ServiceError::invalid_param("shard: there is none of this number"))?;
        let shard = self.inner.shard(ShardId(shard))?;
        // An owner of the past may not say that nobody types.
        shard.log.check_lease().await?;
        Ok(shard.who_types().await)
    }

    async fn receipts(&self, request: SetReceiptsRequest) -> Result<SetReceiptsResponse, ServiceError> {
        let SetReceiptsRequest { caller, room_id, receipts } = request;
        let command = SetReceipts { caller: Caller::read(caller)?, room_id: room(&room_id)?, receipts };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        shard.run(set_receipts::set_receipts(shard.clone(), command)).await?;
        Ok(SetReceiptsResponse {})
    }

    async fn device_list(&self, request: NoteDeviceListRequest) -> Result<NoteDeviceListResponse, ServiceError> {
        let user_id = user(&request.user_id)?;
        let rooms: Vec<_> = request.room_ids.iter().map(|room_id| room(room_id)).collect::<Result<_, _>>()?;
        let Some(first) = rooms.first() else { return Ok(NoteDeviceListResponse {}) };
        let shard = self.inner.shard_of(first.as_str())?;
        let command = NoteDeviceList { tenant: request.tenant.as_str().into(), user_id, rooms };
        shard.run(note_device_list::note_device_list(shard.clone(), command)).await?;
        Ok(NoteDeviceListResponse {})
    }

    async fn profile(&self, request: SpreadProfileRequest) -> Result<SpreadProfileResponse, ServiceError> {
        let command = SpreadProfile { user_id: user(&request.user_id)?, room_id: room(&request.room_id)? };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        shard.run(spread_profile::spread_profile(shard.clone(), command)).await?;
        Ok(SpreadProfileResponse {})
    }

    async fn upgrade(&self, request: UpgradeRoomRequest) -> Result<UpgradeRoomResponse, ServiceError> {
        let command = UpgradeRoom {
            caller: Caller::read(request.caller)?,
            room_id: room(&request.room_id)?,
            new_version: request.new_version,
            additional_creators: request.additional_creators,
            profile: request.profile.unwrap_or_default(),
        };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        let room_id = shard.run(upgrade_room::upgrade_room(shard.clone(), command)).await?;
        Ok(UpgradeRoomResponse { replacement_room: room_id.to_string() })
    }

    async fn publish(&self, request: PublishRoomRequest) -> Result<PublishRoomResponse, ServiceError> {
        let PublishRoomRequest { caller, room_id, published } = request;
        let command = PublishRoom { caller: Caller::read(caller)?, room_id: room(&room_id)?, published };
        let shard = self.inner.shard_of(command.room_id.as_str())?;
        shard.run(publish_room::publish_room(shard.clone(), command)).await?;
        Ok(PublishRoomResponse {})
    }

    async fn claim(&self, request: ClaimAliasRequest) -> Result<ClaimAliasResponse, ServiceError> {
        let (caller, alias, room_id) = (Caller::read(request.caller)?, alias(&request.alias)?, room(&request.room_id)?);
        let from = Some(request.from_room_id).filter(|from| !from.is_empty()).map(|from| room(&from)).transpose()?;
        let shard = self.inner.shard_of(alias.as_str())?;
        shard.run(claim_alias::claim_alias(shard.clone(), caller, alias, room_id, from)).await?;
        Ok(ClaimAliasResponse {})
    }

    async fn release(&self, request: ReleaseAliasRequest) -> Result<ReleaseAliasResponse, ServiceError> {
        let (caller, alias, room_id) = (Caller::read(request.caller)?, alias(&request.alias)?, room(&request.room_id)?);
        let shard = self.inner.shard_of(alias.as_str())?;
        shard.run(release_alias::release_alias(shard.clone(), caller, alias, room_id)).await?;
        Ok(ReleaseAliasResponse {})
    }
}

fn room(text: &str) -> Result<OwnedRoomId, ServiceError> {
    RoomId::parse(text).map_err(|_| ServiceError::invalid_param(format!("{text:?} is not a room id")))
}

fn user(text: &str) -> Result<OwnedUserId, ServiceError> {
    UserId::parse(text).map_err(|_| ServiceError::invalid_param(format!("{text:?} is not a user id")))
}

fn alias(text: &str) -> Result<OwnedRoomAliasId, ServiceError> {
    RoomAliasId::parse(text).map_err(|_| ServiceError::invalid_param(format!("{text:?} is not a room alias")))
}

#[tonic::async_trait]
impl RoomService for Rpc {
    async fn prepare_room(&self, request: Request<PrepareRoomRequest>) -> Result<Response<PrepareRoomResponse>, Status> {
        self.answer("prepare_room", self.prepare(request.into_inner()))
    }

    async fn create_room(&self, request: Request<CreateRoomRequest>) -> Result<Response<CreateRoomResponse>, Status> {
        self.answer("create_room", self.create(request.into_inner()).await)
    }

    async fn send_event(&self, request: Request<SendEventRequest>) -> Result<Response<SendEventResponse>, Status> {
        self.answer("send_event", self.send(request.into_inner()).await)
    }

    async fn change_membership(
        &self,
        request: Request<ChangeMembershipRequest>,
    ) -> Result<Response<ChangeMembershipResponse>, Status> {
        self.answer("change_membership", self.change(request.into_inner()).await)
    }

    async fn forget_room(&self, request: Request<ForgetRoomRequest>) -> Result<Response<ForgetRoomResponse>, Status> {
        self.answer("forget_room", self.forget(request.into_inner()).await)
    }

    async fn set_typing(&self, request: Request<SetTypingRequest>) -> Result<Response<SetTypingResponse>, Status> {
        self.answer("set_typing", self.typing(request.into_inner()).await)
    }

    async fn get_typing(&self, request: Request<GetTypingRequest>) -> Result<Response<GetTypingResponse>, Status> {
        self.answer("get_typing", self.who_types(request.into_inner()).await)
    }

    async fn set_receipts(&self, request: Request<SetReceiptsRequest>) -> Result<Response<SetReceiptsResponse>, Status> {
        self.answer("set_receipts", self.receipts(request.into_inner()).await)
    }

    async fn note_device_list(&self, request: Request<NoteDeviceListRequest>) -> Result<Response<NoteDeviceListResponse>, Status> {
        self.answer("note_device_list", self.device_list(request.into_inner()).await)
    }

    async fn spread_profile(&self, request: Request<SpreadProfileRequest>) -> Result<Response<SpreadProfileResponse>, Status> {
        self.answer("spread_profile", self.profile(request.into_inner()).await)
    }

    async fn upgrade_room(&self, request: Request<UpgradeRoomRequest>) -> Result<Response<UpgradeRoomResponse>, Status> {
        self.answer("upgrade_room", self.upgrade(request.into_inner()).await)
    }

    async fn publish_room(&self, request: Request<PublishRoomRequest>) -> Result<Response<PublishRoomResponse>, Status> {
        self.answer("publish_room", self.publish(request.into_inner()).await)
    }

    async fn claim_alias(&self, request: Request<ClaimAliasRequest>) -> Result<Response<ClaimAliasResponse>, Status> {
        self.answer("claim_alias", self.claim(request.into_inner()).await)
    }

    async fn release_alias(&self, request: Request<ReleaseAliasRequest>) -> Result<Response<ReleaseAliasResponse>, Status> {
        self.answer("release_alias", self.release(request.into_inner()).await)
    }
}
