//! The gRPC service: unpacks, calls one use case, wraps.

use std::{future::Future, sync::Arc};

use banyan_core::ServiceError;
use banyan_proto::{
    status::to_status,
    userserver::{
        AcknowledgeToDeviceRequest, AcknowledgeToDeviceResponse, ChangePasswordRequest, ChangePasswordResponse,
        ChangePushRuleRequest, ChangePushRuleResponse, CheckPasswordRequest, CheckPasswordResponse, ClaimKeysRequest,
        ClaimKeysResponse, ClaimThreepidRequest, ClaimThreepidResponse, CloseReportRequest, CloseReportResponse,
        ConfirmTokenRequest, ConfirmTokenResponse, CreateKeyBackupRequest, CreateKeyBackupResponse, DeactivateRequest,
        DeactivateResponse, DeleteDehydratedDeviceRequest, DeleteDehydratedDeviceResponse, DeleteDevicesRequest,
        DeleteDevicesResponse, DeleteKeyBackupRequest, DeleteKeyBackupResponse, DeleteRoomKeysRequest, FinishDepartureRequest,
        FinishDepartureResponse, LoginRequest, LoginResponse, LogoutRequest, LogoutResponse, ModerateAccountRequest,
        ModerateAccountResponse, MoveFullyReadRequest, MoveFullyReadResponse, PutDehydratedDeviceRequest,
        PutDehydratedDeviceResponse, PutFilterRequest, PutFilterResponse, PutRoomKeysRequest, RefreshRequest, RegisterRequest,
        ReleaseThreepidRequest, ReleaseThreepidResponse, ReportRequest, ReportResponse, RoomKeysResponse, ScheduleEventRequest,
        ScheduleEventResponse, SendToDeviceRequest, SendToDeviceResponse, SetAccountDataRequest, SetAccountDataResponse,
        SetProfileRequest, SetProfileResponse, SetPusherRequest, SetPusherResponse, SetTagRequest, SetTagResponse,
        UpdateDelayedEventRequest, UpdateDelayedEventResponse, UpdateDeviceRequest, UpdateDeviceResponse, UpdateKeyBackupRequest,
        UpdateKeyBackupResponse, UploadCrossSigningKeysRequest, UploadCrossSigningKeysResponse, UploadKeysRequest,
        UploadKeysResponse, UploadSignaturesRequest, UploadSignaturesResponse, UseRegistrationTokenRequest,
        UseRegistrationTokenResponse, user_service_server::UserService,
    },
};
use tonic::{Request, Response, Status};

use crate::{app, host::Inner};

/// Serves `banyan.userserver.v1.UserService`.
pub(crate) struct Rpc(Arc<Inner>);

impl Rpc {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }
}

async fn answer<T>(result: impl Future<Output = Result<T, ServiceError>>) -> Result<Response<T>, Status> {
    result.await.map(Response::new).map_err(|error| to_status(&error))
}

#[tonic::async_trait]
impl UserService for Rpc {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<LoginResponse>, Status> {
        answer(app::register::register(&self.0, request.into_inner())).await
    }

    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        answer(app::login::login(&self.0, request.into_inner())).await
    }

    async fn check_password(&self, request: Request<CheckPasswordRequest>) -> Result<Response<CheckPasswordResponse>, Status> {
        answer(app::check_password::check_password(&self.0, request.into_inner())).await
    }

    async fn change_password(&self, request: Request<ChangePasswordRequest>) -> Result<Response<ChangePasswordResponse>, Status> {
        answer(app::change_password::change_password(&self.0, request.into_inner())).await
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<LoginResponse>, Status> {
        answer(app::refresh::refresh(&self.0, request.into_inner())).await
    }

    async fn confirm_token(&self, request: Request<ConfirmTokenRequest>) -> Result<Response<ConfirmTokenResponse>, Status> {
        answer(app::refresh::confirm_token(&self.0, request.into_inner())).await
    }

    async fn deactivate(&self, request: Request<DeactivateRequest>) -> Result<Response<DeactivateResponse>, Status> {
        answer(app::deactivate::deactivate(&self.0, request.into_inner())).await
    }

    async fn finish_departure(
        &self,
        request: Request<FinishDepartureRequest>,
    ) -> Result<Response<FinishDepartureResponse>, Status> {
        answer(app::deactivate::finish_departure(&self.0, request.into_inner())).await
    }

    async fn moderate_account(
        &self,
        request: Request<ModerateAccountRequest>,
    ) -> Result<Response<ModerateAccountResponse>, Status> {
        answer(app::moderate_account::moderate_account(&self.0, request.into_inner())).await
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        answer(app::logout::logout(&self.0, request.into_inner())).await
    }

    async fn set_profile(&self, request: Request<SetProfileRequest>) -> Result<Response<SetProfileResponse>, Status> {
        answer(app::set_profile::set_profile(&self.0, request.into_inner())).await
    }

    async fn set_account_data(&self, request: Request<SetAccountDataRequest>) -> Result<Response<SetAccountDataResponse>, Status> {
        answer(app::set_account_data::set_account_data(&self.0, request.into_inner())).await
    }

    async fn move_fully_read(&self, request: Request<MoveFullyReadRequest>) -> Result<Response<MoveFullyReadResponse>, Status> {
        answer(app::move_fully_read::move_fully_read(&self.0, request.into_inner())).await
    }

    async fn change_push_rule(&self, request: Request<ChangePushRuleRequest>) -> Result<Response<ChangePushRuleResponse>, Status> {
        answer(app::change_push_rule::change_push_rule(&self.0, request.into_inner())).await
    }

    async fn set_pusher(&self, request: Request<SetPusherRequest>) -> Result<Response<SetPusherResponse>, Status> {
        answer(app::set_pusher::set_pusher(&self.0, request.into_inner())).await
    }

    async fn set_tag(&self, request: Request<SetTagRequest>) -> Result<Response<SetTagResponse>, Status> {
        answer(app::set_tag::set_tag(&self.0, request.into_inner())).await
    }

    async fn put_filter(&self, request: Request<PutFilterRequest>) -> Result<Response<PutFilterResponse>, Status> {
        answer(app::put_filter::put_filter(&self.0, request.into_inner())).await
    }

    async fn use_registration_token(
        &self,
        request: Request<UseRegistrationTokenRequest>,
    ) -> Result<Response<UseRegistrationTokenResponse>, Status> {
        answer(app::use_registration_token::use_registration_token(&self.0, request.into_inner())).await
    }

    async fn send_to_device(&self, request: Request<SendToDeviceRequest>) -> Result<Response<SendToDeviceResponse>, Status> {
        answer(app::send_to_device::send_to_device(&self.0, request.into_inner())).await
    }

    async fn acknowledge_to_device(
        &self,
        request: Request<AcknowledgeToDeviceRequest>,
    ) -> Result<Response<AcknowledgeToDeviceResponse>, Status> {
        answer(app::acknowledge_to_device::acknowledge_to_device(&self.0, request.into_inner())).await
    }

    async fn update_device(&self, request: Request<UpdateDeviceRequest>) -> Result<Response<UpdateDeviceResponse>, Status> {
        answer(app::update_device::update_device(&self.0, request.into_inner())).await
    }

    async fn delete_devices(&self, request: Request<DeleteDevicesRequest>) -> Result<Response<DeleteDevicesResponse>, Status> {
        answer(app::delete_devices::delete_devices(&self.0, request.into_inner())).await
    }

    async fn upload_keys(&self, request: Request<UploadKeysRequest>) -> Result<Response<UploadKeysResponse>, Status> {
        answer(app::upload_keys::upload_keys(&self.0, request.into_inner())).await
    }

    async fn claim_keys(&self, request: Request<ClaimKeysRequest>) -> Result<Response<ClaimKeysResponse>, Status> {
        answer(app::claim_keys::claim_keys(&self.0, request.into_inner())).await
    }

    async fn upload_cross_signing_keys(
        &self,
        request: Request<UploadCrossSigningKeysRequest>,
    ) -> Result<Response<UploadCrossSigningKeysResponse>, Status> {
        answer(app::upload_cross_signing_keys::upload_cross_signing_keys(&self.0, request.into_inner())).await
    }

    async fn upload_signatures(
        &self,
        request: Request<UploadSignaturesRequest>,
    ) -> Result<Response<UploadSignaturesResponse>, Status> {
        answer(app::upload_signatures::upload_signatures(&self.0, request.into_inner())).await
    }

    async fn create_key_backup(
        &self,
        request: Request<CreateKeyBackupRequest>,
    ) -> Result<Response<CreateKeyBackupResponse>, Status> {
        answer(app::create_key_backup::create_key_backup(&self.0, request.into_inner())).await
    }

    async fn update_key_backup(
        &self,
        request: Request<UpdateKeyBackupRequest>,
    ) -> Result<Response<UpdateKeyBackupResponse>, Status> {
        answer(app::update_key_backup::update_key_backup(&self.0, request.into_inner())).await
    }

    async fn delete_key_backup(
        &self,
        request: Request<DeleteKeyBackupRequest>,
    ) -> Result<Response<DeleteKeyBackupResponse>, Status> {
        answer(app::delete_key_backup::delete_key_backup(&self.0, request.into_inner())).await
    }

    async fn put_room_keys(&self, request: Request<PutRoomKeysRequest>) -> Result<Response<RoomKeysResponse>, Status> {
        answer(app::put_room_keys::put_room_keys(&self.0, request.into_inner())).await
    }

    async fn delete_room_keys(&self, request: Request<DeleteRoomKeysRequest>) -> Result<Response<RoomKeysResponse>, Status> {
        answer(app::delete_room_keys::delete_room_keys(&self.0, request.into_inner())).await
    }

    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        answer(app::report::report(&self.0, request.into_inner())).await
    }

    async fn close_report(&self, request: Request<CloseReportRequest>) -> Result<Response<CloseReportResponse>, Status> {
        answer(app::close_report::close_report(&self.0, request.into_inner())).await
    }

    async fn claim_threepid(&self, request: Request<ClaimThreepidRequest>) -> Result<Response<ClaimThreepidResponse>, Status> {
        answer(app::claim_threepid::claim_threepid(&self.0, request.into_inner())).await
    }

    async fn release_threepid(
        &self,
        request: Request<ReleaseThreepidRequest>,
    ) -> Result<Response<ReleaseThreepidResponse>, Status> {
        answer(app::release_threepid::release_threepid(&self.0, request.into_inner())).await
    }

    async fn schedule_event(&self, request: Request<ScheduleEventRequest>) -> Result<Response<ScheduleEventResponse>, Status> {
        answer(app::schedule_event::schedule_event(&self.0, request.into_inner())).await
    }

    async fn put_dehydrated_device(
        &self,
        request: Request<PutDehydratedDeviceRequest>,
    ) -> Result<Response<PutDehydratedDeviceResponse>, Status> {
        answer(app::dehydrated_device::put_dehydrated_device(&self.0, request.into_inner())).await
    }

    async fn delete_dehydrated_device(
        &self,
        request: Request<DeleteDehydratedDeviceRequest>,
    ) -> Result<Response<DeleteDehydratedDeviceResponse>, Status> {
        answer(app::dehydrated_device::delete_dehydrated_device(&self.0, request.into_inner())).await
    }

    async fn update_delayed_event(
        &self,
        request: Request<UpdateDelayedEventRequest>,
    ) -> Result<Response<UpdateDelayedEventResponse>, Status> {
        answer(app::update_delayed_event::update_delayed_event(&self.0, request.into_inner())).await
    }
}
