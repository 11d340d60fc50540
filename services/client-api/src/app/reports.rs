//! Reports to the administrators of a server (specification: Client-Server API, "Reporting Content").

use banyan_core::ServiceError;
use banyan_proto::{
    users::Report,
    userserver::{CloseReportRequest, ReportRequest},
};
use banyan_users::report;
use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomId, events::room::member::MembershipState};

use super::{App, Requester};
use crate::calls::UserClient;

/// What is reported.
#[derive(Debug)]
pub(crate) enum Subject {
    Room(OwnedRoomId),
    User(OwnedUserId),
}

impl App {
    /// Reports a room or a user. Whether this server knows them makes no difference, so nobody learns it from the answer or from the time
    /// that it takes.
    ///
    /// # Errors
    /// M_INVALID_PARAM for a reason that is too long.
    pub(crate) async fn report(&self, requester: &Requester, subject: Subject, reason: String) -> Result<(), ServiceError> {
        let mut request = ReportRequest { reason, ..ReportRequest::default() };
        match subject {
            Subject::Room(room_id) => request.room_id = room_id.into(),
            Subject::User(user_id) => request.user_id = user_id.into(),
        }
        self.send_report(requester, request).await
    }

    /// Reports an event of a room that the caller is joined to.
    ///
    /// # Errors
    /// M_NOT_FOUND where there is no such event, the caller may not see it or is not joined; M_INVALID_PARAM for a reason that is too long.
    pub(crate) async fn report_event(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &EventId,
        reason: String,
    ) -> Result<(), ServiceError> {
        report::check_reason(&reason)?;
        let missing = || ServiceError::not_found("The event was not found or you are not joined to the room.");
        let membership = self.rooms.membership(&requester.user_id, room_id).await?;
        membership.filter(|row| row.membership == MembershipState::Join.as_str()).ok_or_else(missing)?;
        self.event(requester, room_id, event_id).await?;
        let (room_id, event_id) = (room_id.to_string(), event_id.to_string());
        self.send_report(requester, ReportRequest { room_id, event_id, reason, ..ReportRequest::default() }).await
    }

    async fn send_report(&self, requester: &Requester, request: ReportRequest) -> Result<(), ServiceError> {
        report::check_reason(&request.reason)?;
        let request = ReportRequest { caller: Some(requester.to_users()), ..request };
        let name = report::owner_name(requester.visitor.server_name());
        let call = |mut client: UserClient, request| async move { client.report(request).await };
        self.commands.user(&name, request, call).await.map(drop)
    }

    /// What was reported to the caller's server, with its numbers, the newest first.
    ///
    /// # Errors
    /// M_FORBIDDEN for everybody but administrators.
    pub(crate) async fn reports(
        &self,
        requester: &Requester,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Report)>, ServiceError> {
        self.must_be_admin(requester).await?;
        Ok(self.users.reports(requester.visitor.server_name(), before, limit).await?)
    }

    /// Closes a report to the caller's server.
    ///
    /// # Errors
    /// M_FORBIDDEN for everybody but administrators; M_NOT_FOUND.
    pub(crate) async fn close_report(&self, requester: &Requester, number: u64) -> Result<(), ServiceError> {
        self.must_be_admin(requester).await?;
        let request = CloseReportRequest { caller: Some(requester.to_users()), number };
        let name = report::owner_name(requester.visitor.server_name());
        let call = |mut client: UserClient, request| async move { client.close_report(request).await };
        self.commands.user(&name, request, call).await.map(drop)
    }

    async fn must_be_admin(&self, requester: &Requester) -> Result<(), ServiceError> {
        if self.is_admin(requester).await? { Ok(()) } else { Err(ServiceError::forbidden("You are not a server administrator")) }
    }
}
