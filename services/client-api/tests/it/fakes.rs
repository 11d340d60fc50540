//! The owners of rooms and users, and the sync role: they note what they are asked and answer what a test wants.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use banyan_core::ServiceError;
use banyan_proto::{
    roomserver::{self, room_service_server::RoomService},
    status::to_status,
    sync::{SlidingSyncRequest, SyncChunk, SyncRequest, sync_service_server::SyncService},
    userserver::{self, user_service_server::UserService},
};
use futures::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// What was asked, by the name of the call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    PrepareRoom(roomserver::PrepareRoomRequest),
    CreateRoom(roomserver::CreateRoomRequest),
    SendEvent(roomserver::SendEventRequest),
    ChangeMembership(roomserver::ChangeMembershipRequest),
    ForgetRoom(roomserver::ForgetRoomRequest),
    SetReceipts(roomserver::SetReceiptsRequest),
    SpreadProfile(roomserver::SpreadProfileRequest),
    SetTyping(roomserver::SetTypingRequest),
    UpgradeRoom(roomserver::UpgradeRoomRequest),
    PublishRoom(roomserver::PublishRoomRequest),
    ClaimAlias(roomserver::ClaimAliasRequest),
    ReleaseAlias(roomserver::ReleaseAliasRequest),
    Register(userserver::RegisterRequest),
    Login(userserver::LoginRequest),
    CheckPassword(userserver::CheckPasswordRequest),
    ChangePassword(userserver::ChangePasswordRequest),
    ModerateAccount(userserver::ModerateAccountRequest),
    FinishDeparture(userserver::FinishDepartureRequest),
    Deactivate(userserver::DeactivateRequest),
    ConfirmToken(userserver::ConfirmTokenRequest),
    Refresh(userserver::RefreshRequest),
    Logout(userserver::LogoutRequest),
    SetProfile(userserver::SetProfileRequest),
    SetAccountData(userserver::SetAccountDataRequest),
    MoveFullyRead(userserver::MoveFullyReadRequest),
    SetTag(userserver::SetTagRequest),
    SetPusher(userserver::SetPusherRequest),
    ChangePushRule(userserver::ChangePushRuleRequest),
    PutFilter(userserver::PutFilterRequest),
    SendToDevice(userserver::SendToDeviceRequest),
    UseRegistrationToken(userserver::UseRegistrationTokenRequest),
    UpdateDevice(userserver::UpdateDeviceRequest),
    DeleteDevices(userserver::DeleteDevicesRequest),
    UploadKeys(userserver::UploadKeysRequest),
    ClaimKeys(userserver::ClaimKeysRequest),
    UploadCrossSigningKeys(userserver::UploadCrossSigningKeysRequest),
    UploadSignatures(userserver::UploadSignaturesRequest),
    CreateKeyBackup(userserver::CreateKeyBackupRequest),
    UpdateKeyBackup(userserver::UpdateKeyBackupRequest),
    DeleteKeyBackup(userserver::DeleteKeyBackupRequest),
    PutRoomKeys(userserver::PutRoomKeysRequest),
    DeleteRoomKeys(userserver::DeleteRoomKeysRequest),
    Report(userserver::ReportRequest),
    CloseReport(userserver::CloseReportRequest),
    ClaimThreepid(userserver::ClaimThreepidRequest),
    ReleaseThreepid(userserver::ReleaseThreepidRequest),
    PutDehydratedDevice(userserver::PutDehydratedDeviceRequest),
    DeleteDehydratedDevice(userserver::DeleteDehydratedDeviceRequest),
    ScheduleEvent(userserver::ScheduleEventRequest),
    UpdateDelayedEvent(userserver::UpdateDelayedEventRequest),
    Sync(SyncRequest),
    SlidingSync(SlidingSyncRequest),
}

/// The calls so far, and how to answer.
#[derive(Clone, Default)]
pub(crate) struct Fakes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// Errors by the name of the call.
    errors: Vec<(&'static str, ServiceError)>,
    sync: Option<mpsc::Receiver<Result<SyncChunk, Status>>>,
    /// What the next change of membership waits for.
    held: Option<oneshot::Receiver<()>>,
}

impl Fakes {
    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// The only thing that was asked since the last time.
    pub(crate) fn only(&self) -> Call {
        let mut calls = self.take();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }

    /// Answers the call of this name with an error from now on.
    pub(crate) fn fail(&self, call: &'static str, error: ServiceError) {
        self.0.lock().unwrap().errors.push((call, error));
    }

    /// Answers the next sync with what the test sends.
    pub(crate) fn script_sync(&self) -> mpsc::Sender<Result<SyncChunk, Status>> {
        let (sender, receiver) = mpsc::channel(8);
        self.0.lock().unwrap().sync = Some(receiver);
        sender
    }

    /// Answers the next change of membership when the test says so.
    pub(crate) fn hold_membership(&self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap().held = Some(receiver);
        sender
    }

    /// What a test sends, or `usual`.
    fn chunks(&self, usual: &'static [u8]) -> Chunks {
        match self.0.lock().unwrap().sync.take() {
            Some(receiver) => Box::pin(ReceiverStream::new(receiver)),
            None => Box::pin(futures::stream::iter([Ok(SyncChunk { data: usual.into() })])),
        }
    }

    fn note<T>(&self, name: &'static str, call: Call, answer: T) -> Result<Response<T>, Status> {
        let mut state = self.0.lock().unwrap();
        state.calls.push(call);
        match state.errors.iter().find(|(failing, _)| *failing == name) {
            Some((_, error)) => Err(to_status(error)),
            None => Ok(Response::new(answer)),
        }
    }
}

#[tonic::async_trait]
impl RoomService for Fakes {
    async fn prepare_room(
        &self,
        request: Request<roomserver::PrepareRoomRequest>,
    ) -> Result<Response<roomserver::PrepareRoomResponse>, Status> {
        let answer = roomserver::PrepareRoomResponse { room_id: "!new".to_owned(), create_pdu: b"{}".to_vec().into() };
        self.note("PrepareRoom", Call::PrepareRoom(request.into_inner()), answer)
    }

    async fn create_room(
        &self,
        request: Request<roomserver::CreateRoomRequest>,
    ) -> Result<Response<roomserver::CreateRoomResponse>, Status> {
        let request = request.into_inner();
        let answer = roomserver::CreateRoomResponse { room_id: request.room_id.clone() };
        self.note("CreateRoom", Call::CreateRoom(request), answer)
    }

    async fn send_event(
        &self,
        request: Request<roomserver::SendEventRequest>,
    ) -> Result<Response<roomserver::SendEventResponse>, Status> {
        let answer = roomserver::SendEventResponse { event_id: "$sent".to_owned() };
        self.note("SendEvent", Call::SendEvent(request.into_inner()), answer)
    }

    async fn change_membership(
        &self,
        request: Request<roomserver::ChangeMembershipRequest>,
    ) -> Result<Response<roomserver::ChangeMembershipResponse>, Status> {
        let answer = roomserver::ChangeMembershipResponse { event_id: "$member".to_owned() };
        let answer = self.note("ChangeMembership", Call::ChangeMembership(request.into_inner()), answer);
        let held = self.0.lock().unwrap().held.take();
        if let Some(held) = held {
            held.await.unwrap();
        }
        answer
    }

    async fn forget_room(
        &self,
        request: Request<roomserver::ForgetRoomRequest>,
    ) -> Result<Response<roomserver::ForgetRoomResponse>, Status> {
        self.note("ForgetRoom", Call::ForgetRoom(request.into_inner()), roomserver::ForgetRoomResponse {})
    }

    async fn set_typing(
        &self,
        request: Request<roomserver::SetTypingRequest>,
    ) -> Result<Response<roomserver::SetTypingResponse>, Status> {
        self.note("SetTyping", Call::SetTyping(request.into_inner()), roomserver::SetTypingResponse {})
    }

    async fn get_typing(
        &self,
        _: Request<roomserver::GetTypingRequest>,
    ) -> Result<Response<roomserver::GetTypingResponse>, Status> {
        Err(Status::unimplemented("asked by sync alone"))
    }

    async fn set_receipts(
        &self,
        request: Request<roomserver::SetReceiptsRequest>,
    ) -> Result<Response<roomserver::SetReceiptsResponse>, Status> {
        self.note("SetReceipts", Call::SetReceipts(request.into_inner()), roomserver::SetReceiptsResponse {})
    }

    async fn note_device_list(
        &self,
        _: Request<roomserver::NoteDeviceListRequest>,
    ) -> Result<Response<roomserver::NoteDeviceListResponse>, Status> {
        Err(Status::unimplemented("the client-api tells rooms nothing of devices: userservers do"))
    }

    async fn spread_profile(
        &self,
        request: Request<roomserver::SpreadProfileRequest>,
    ) -> Result<Response<roomserver::SpreadProfileResponse>, Status> {
        self.note("SpreadProfile", Call::SpreadProfile(request.into_inner()), roomserver::SpreadProfileResponse {})
    }

    async fn upgrade_room(
        &self,
        request: Request<roomserver::UpgradeRoomRequest>,
    ) -> Result<Response<roomserver::UpgradeRoomResponse>, Status> {
        let answer = roomserver::UpgradeRoomResponse { replacement_room: "!new:one.test".to_owned() };
        self.note("UpgradeRoom", Call::UpgradeRoom(request.into_inner()), answer)
    }

    async fn publish_room(
        &self,
        request: Request<roomserver::PublishRoomRequest>,
    ) -> Result<Response<roomserver::PublishRoomResponse>, Status> {
        self.note("PublishRoom", Call::PublishRoom(request.into_inner()), roomserver::PublishRoomResponse {})
    }

    async fn claim_alias(
        &self,
        request: Request<roomserver::ClaimAliasRequest>,
    ) -> Result<Response<roomserver::ClaimAliasResponse>, Status> {
        self.note("ClaimAlias", Call::ClaimAlias(request.into_inner()), roomserver::ClaimAliasResponse {})
    }

    async fn release_alias(
        &self,
        request: Request<roomserver::ReleaseAliasRequest>,
    ) -> Result<Response<roomserver::ReleaseAliasResponse>, Status> {
        self.note("ReleaseAlias", Call::ReleaseAlias(request.into_inner()), roomserver::ReleaseAliasResponse {})
    }
}

fn session(user_id: String, device_id: &str) -> userserver::LoginResponse {
    let device_id = if device_id.is_empty() { "MADE" } else { device_id };
    let (access_token, device_id) = ("byn_made".to_owned(), device_id.to_owned());
    userserver::LoginResponse { user_id, access_token, device_id, ..userserver::LoginResponse::default() }
}

#[tonic::async_trait]
impl UserService for Fakes {
    async fn register(&self, request: Request<userserver::RegisterRequest>) -> Result<Response<userserver::LoginResponse>, Status> {
        let request = request.into_inner();
        let user_id = request.caller.clone().unwrap().user_id;
        let answer = if request.inhibit_login {
            userserver::LoginResponse { user_id, ..userserver::LoginResponse::default() }
        } else {
            session(user_id, &request.device_id)
        };
        self.note("Register", Call::Register(request), answer)
    }

    async fn login(&self, request: Request<userserver::LoginRequest>) -> Result<Response<userserver::LoginResponse>, Status> {
        let request = request.into_inner();
        let mut answer = session(request.caller.clone().unwrap().user_id, &request.device_id);
        if request.refreshable {
            (answer.refresh_token, answer.expires_in_ms) = ("bynr_made".to_owned(), 3_600_000);
        }
        self.note("Login", Call::Login(request), answer)
    }

    async fn check_password(
        &self,
        request: Request<userserver::CheckPasswordRequest>,
    ) -> Result<Response<userserver::CheckPasswordResponse>, Status> {
        self.note("CheckPassword", Call::CheckPassword(request.into_inner()), userserver::CheckPasswordResponse {})
    }

    async fn change_password(
        &self,
        request: Request<userserver::ChangePasswordRequest>,
    ) -> Result<Response<userserver::ChangePasswordResponse>, Status> {
        self.note("ChangePassword", Call::ChangePassword(request.into_inner()), userserver::ChangePasswordResponse {})
    }

    async fn moderate_account(
        &self,
        request: Request<userserver::ModerateAccountRequest>,
    ) -> Result<Response<userserver::ModerateAccountResponse>, Status> {
        self.note("ModerateAccount", Call::ModerateAccount(request.into_inner()), userserver::ModerateAccountResponse {})
    }

    async fn finish_departure(
        &self,
        request: Request<userserver::FinishDepartureRequest>,
    ) -> Result<Response<userserver::FinishDepartureResponse>, Status> {
        self.note("FinishDeparture", Call::FinishDeparture(request.into_inner()), userserver::FinishDepartureResponse {})
    }

    async fn deactivate(
        &self,
        request: Request<userserver::DeactivateRequest>,
    ) -> Result<Response<userserver::DeactivateResponse>, Status> {
        self.note("Deactivate", Call::Deactivate(request.into_inner()), userserver::DeactivateResponse {})
    }

    async fn confirm_token(
        &self,
        request: Request<userserver::ConfirmTokenRequest>,
    ) -> Result<Response<userserver::ConfirmTokenResponse>, Status> {
        self.note("ConfirmToken", Call::ConfirmToken(request.into_inner()), userserver::ConfirmTokenResponse {})
    }

    async fn refresh(&self, request: Request<userserver::RefreshRequest>) -> Result<Response<userserver::LoginResponse>, Status> {
        let request = request.into_inner();
        let mut answer = session(request.caller.clone().unwrap().user_id, "DEV");
        answer.refresh_token = "bynr_made".to_owned();
        answer.expires_in_ms = 3_600_000;
        self.note("Refresh", Call::Refresh(request), answer)
    }

    async fn logout(&self, request: Request<userserver::LogoutRequest>) -> Result<Response<userserver::LogoutResponse>, Status> {
        self.note("Logout", Call::Logout(request.into_inner()), userserver::LogoutResponse {})
    }

    async fn set_profile(
        &self,
        request: Request<userserver::SetProfileRequest>,
    ) -> Result<Response<userserver::SetProfileResponse>, Status> {
        self.note("SetProfile", Call::SetProfile(request.into_inner()), userserver::SetProfileResponse {})
    }

    async fn set_account_data(
        &self,
        request: Request<userserver::SetAccountDataRequest>,
    ) -> Result<Response<userserver::SetAccountDataResponse>, Status> {
        self.note("SetAccountData", Call::SetAccountData(request.into_inner()), userserver::SetAccountDataResponse {})
    }

    async fn move_fully_read(
        &self,
        request: Request<userserver::MoveFullyReadRequest>,
    ) -> Result<Response<userserver::MoveFullyReadResponse>, Status> {
        self.note("MoveFullyRead", Call::MoveFullyRead(request.into_inner()), userserver::MoveFullyReadResponse {})
    }

    async fn change_push_rule(
        &self,
        request: Request<userserver::ChangePushRuleRequest>,
    ) -> Result<Response<userserver::ChangePushRuleResponse>, Status> {
        self.note("ChangePushRule", Call::ChangePushRule(request.into_inner()), userserver::ChangePushRuleResponse {})
    }

    async fn set_pusher(
        &self,
        request: Request<userserver::SetPusherRequest>,
    ) -> Result<Response<userserver::SetPusherResponse>, Status> {
        let request = request.into_inner();
        // What has this key was set after everything else, what has another before.
        let at = if request.pushkey == "late" { i64::MAX } else { 7 };
        self.note("SetPusher", Call::SetPusher(request), userserver::SetPusherResponse { at })
    }

    async fn set_tag(&self, request: Request<userserver::SetTagRequest>) -> Result<Response<userserver::SetTagResponse>, Status> {
        self.note("SetTag", Call::SetTag(request.into_inner()), userserver::SetTagResponse {})
    }

    async fn put_filter(
        &self,
        request: Request<userserver::PutFilterRequest>,
    ) -> Result<Response<userserver::PutFilterResponse>, Status> {
        let answer = userserver::PutFilterResponse { filter_id: "f1".to_owned() };
        self.note("PutFilter", Call::PutFilter(request.into_inner()), answer)
    }

    async fn send_to_device(
        &self,
        request: Request<userserver::SendToDeviceRequest>,
    ) -> Result<Response<userserver::SendToDeviceResponse>, Status> {
        self.note("SendToDevice", Call::SendToDevice(request.into_inner()), userserver::SendToDeviceResponse {})
    }

    async fn acknowledge_to_device(
        &self,
        _: Request<userserver::AcknowledgeToDeviceRequest>,
    ) -> Result<Response<userserver::AcknowledgeToDeviceResponse>, Status> {
        Err(Status::unimplemented("the client-api acknowledges nothing: sync does"))
    }

    async fn use_registration_token(
        &self,
        request: Request<userserver::UseRegistrationTokenRequest>,
    ) -> Result<Response<userserver::UseRegistrationTokenResponse>, Status> {
        let answer = userserver::UseRegistrationTokenResponse { valid: true };
        self.note("UseRegistrationToken", Call::UseRegistrationToken(request.into_inner()), answer)
    }

    async fn update_device(
        &self,
        request: Request<userserver::UpdateDeviceRequest>,
    ) -> Result<Response<userserver::UpdateDeviceResponse>, Status> {
        self.note("UpdateDevice", Call::UpdateDevice(request.into_inner()), userserver::UpdateDeviceResponse {})
    }

    async fn delete_devices(
        &self,
        request: Request<userserver::DeleteDevicesRequest>,
    ) -> Result<Response<userserver::DeleteDevicesResponse>, Status> {
        self.note("DeleteDevices", Call::DeleteDevices(request.into_inner()), userserver::DeleteDevicesResponse {})
    }

    async fn upload_keys(
        &self,
        request: Request<userserver::UploadKeysRequest>,
    ) -> Result<Response<userserver::UploadKeysResponse>, Status> {
        let answer = userserver::UploadKeysResponse { one_time_key_counts: [("signed_curve25519".to_owned(), 2)].into() };
        self.note("UploadKeys", Call::UploadKeys(request.into_inner()), answer)
    }

    async fn claim_keys(
        &self,
        request: Request<userserver::ClaimKeysRequest>,
    ) -> Result<Response<userserver::ClaimKeysResponse>, Status> {
        let request = request.into_inner();
        let key = |(device, algorithm): (&String, &String)| {
            let (key_id, key) = (format!("{algorithm}:A"), b"{\"key\":\"k\"}".to_vec().into());
            (device.clone(), userserver::ClaimedKey { key_id, key })
        };
        let answer = userserver::ClaimKeysResponse { keys: request.devices.iter().map(key).collect() };
        self.note("ClaimKeys", Call::ClaimKeys(request), answer)
    }

    async fn upload_cross_signing_keys(
        &self,
        request: Request<userserver::UploadCrossSigningKeysRequest>,
    ) -> Result<Response<userserver::UploadCrossSigningKeysResponse>, Status> {
        let answer = userserver::UploadCrossSigningKeysResponse {};
        self.note("UploadCrossSigningKeys", Call::UploadCrossSigningKeys(request.into_inner()), answer)
    }

    async fn upload_signatures(
        &self,
        request: Request<userserver::UploadSignaturesRequest>,
    ) -> Result<Response<userserver::UploadSignaturesResponse>, Status> {
        let answer = userserver::UploadSignaturesResponse { failures: b"{}".to_vec().into() };
        self.note("UploadSignatures", Call::UploadSignatures(request.into_inner()), answer)
    }

    async fn create_key_backup(
        &self,
        request: Request<userserver::CreateKeyBackupRequest>,
    ) -> Result<Response<userserver::CreateKeyBackupResponse>, Status> {
        let answer = userserver::CreateKeyBackupResponse { version: "7".to_owned() };
        self.note("CreateKeyBackup", Call::CreateKeyBackup(request.into_inner()), answer)
    }

    async fn update_key_backup(
        &self,
        request: Request<userserver::UpdateKeyBackupRequest>,
    ) -> Result<Response<userserver::UpdateKeyBackupResponse>, Status> {
        let answer = userserver::UpdateKeyBackupResponse {};
        self.note("UpdateKeyBackup", Call::UpdateKeyBackup(request.into_inner()), answer)
    }

    async fn delete_key_backup(
        &self,
        request: Request<userserver::DeleteKeyBackupRequest>,
    ) -> Result<Response<userserver::DeleteKeyBackupResponse>, Status> {
        let answer = userserver::DeleteKeyBackupResponse {};
        self.note("DeleteKeyBackup", Call::DeleteKeyBackup(request.into_inner()), answer)
    }

    async fn put_room_keys(
        &self,
        request: Request<userserver::PutRoomKeysRequest>,
    ) -> Result<Response<userserver::RoomKeysResponse>, Status> {
        let answer = userserver::RoomKeysResponse { keys: 5, etag: 9 };
        self.note("PutRoomKeys", Call::PutRoomKeys(request.into_inner()), answer)
    }

    async fn delete_room_keys(
        &self,
        request: Request<userserver::DeleteRoomKeysRequest>,
    ) -> Result<Response<userserver::RoomKeysResponse>, Status> {
        let answer = userserver::RoomKeysResponse { keys: 5, etag: 9 };
        self.note("DeleteRoomKeys", Call::DeleteRoomKeys(request.into_inner()), answer)
    }

    async fn claim_threepid(
        &self,
        request: Request<userserver::ClaimThreepidRequest>,
    ) -> Result<Response<userserver::ClaimThreepidResponse>, Status> {
        self.note("ClaimThreepid", Call::ClaimThreepid(request.into_inner()), userserver::ClaimThreepidResponse {})
    }

    async fn release_threepid(
        &self,
        request: Request<userserver::ReleaseThreepidRequest>,
    ) -> Result<Response<userserver::ReleaseThreepidResponse>, Status> {
        self.note("ReleaseThreepid", Call::ReleaseThreepid(request.into_inner()), userserver::ReleaseThreepidResponse {})
    }

    async fn close_report(
        &self,
        request: Request<userserver::CloseReportRequest>,
    ) -> Result<Response<userserver::CloseReportResponse>, Status> {
        self.note("CloseReport", Call::CloseReport(request.into_inner()), userserver::CloseReportResponse {})
    }

    async fn put_dehydrated_device(
        &self,
        request: Request<userserver::PutDehydratedDeviceRequest>,
    ) -> Result<Response<userserver::PutDehydratedDeviceResponse>, Status> {
        let answer = userserver::PutDehydratedDeviceResponse {};
        self.note("PutDehydratedDevice", Call::PutDehydratedDevice(request.into_inner()), answer)
    }

    async fn delete_dehydrated_device(
        &self,
        request: Request<userserver::DeleteDehydratedDeviceRequest>,
    ) -> Result<Response<userserver::DeleteDehydratedDeviceResponse>, Status> {
        let answer = userserver::DeleteDehydratedDeviceResponse { device_id: "D".to_owned() };
        self.note("DeleteDehydratedDevice", Call::DeleteDehydratedDevice(request.into_inner()), answer)
    }

    async fn schedule_event(
        &self,
        request: Request<userserver::ScheduleEventRequest>,
    ) -> Result<Response<userserver::ScheduleEventResponse>, Status> {
        let answer = userserver::ScheduleEventResponse { delay_id: "later".to_owned() };
        self.note("ScheduleEvent", Call::ScheduleEvent(request.into_inner()), answer)
    }

    async fn update_delayed_event(
        &self,
        request: Request<userserver::UpdateDelayedEventRequest>,
    ) -> Result<Response<userserver::UpdateDelayedEventResponse>, Status> {
        let answer = userserver::UpdateDelayedEventResponse {};
        self.note("UpdateDelayedEvent", Call::UpdateDelayedEvent(request.into_inner()), answer)
    }

    async fn report(&self, request: Request<userserver::ReportRequest>) -> Result<Response<userserver::ReportResponse>, Status> {
        self.note("Report", Call::Report(request.into_inner()), userserver::ReportResponse {})
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<SyncChunk, Status>> + Send>>;

#[tonic::async_trait]
impl SyncService for Fakes {
    type SyncStream = Chunks;

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<Self::SyncStream>, Status> {
        self.note("Sync", Call::Sync(request.into_inner()), ())?;
        Ok(Response::new(self.chunks(b"{\"next_batch\":\"s1\"}")))
    }

    type SlidingSyncStream = Chunks;

    async fn sliding_sync(&self, request: Request<SlidingSyncRequest>) -> Result<Response<Chunks>, Status> {
        self.note("SlidingSync", Call::SlidingSync(request.into_inner()), ())?;
        Ok(Response::new(self.chunks(b"{\"pos\":\"p1\"}")))
    }
}
