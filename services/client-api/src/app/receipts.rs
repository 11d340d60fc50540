//! How far users have read: receipts and the fully-read marker.

use banyan_core::ServiceError;
use banyan_proto::{
    roomserver::{NewReceipt, SetReceiptsRequest},
    userserver::MoveFullyReadRequest,
};
use banyan_rooms::tables::receipt::{PRIVATE, PUBLIC};
use banyan_users::account_data::FULLY_READ;
use ruma::{EventId, OwnedEventId, RoomId};

use super::{App, Requester};
use crate::calls::{RoomClient, UserClient};

/// What a receipt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiptType {
    /// `m.read`.
    Public,
    /// `m.read.private`.
    Private,
    /// `m.fully_read`, which is account data.
    FullyRead,
}

/// Markers to be moved.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    pub(crate) fully_read: Option<OwnedEventId>,
    pub(crate) read: Option<OwnedEventId>,
    pub(crate) read_private: Option<OwnedEventId>,
}

impl ReceiptType {
    /// The type of this name.
    pub(crate) fn read(name: &str) -> Result<Self, ServiceError> {
        match name {
            PUBLIC => Ok(Self::Public),
            PRIVATE => Ok(Self::Private),
            FULLY_READ => Ok(Self::FullyRead),
            _ => Err(ServiceError::invalid_param("The receipt type is m.read, m.read.private or m.fully_read")),
        }
    }
}

impl App {
    /// Moves a receipt of the caller, or the fully-read marker. `thread_id` is empty for none.
    ///
    /// # Errors
    /// `M_INVALID_PARAM` for a thread that does not fit, and what the owners answer.
    pub(crate) async fn set_receipt(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        (kind, thread_id): (ReceiptType, String),
        event_id: &EventId,
    ) -> Result<(), ServiceError> {
        let receipt_type = match kind {
            ReceiptType::Public => PUBLIC,
            ReceiptType::Private => PRIVATE,
            ReceiptType::FullyRead if thread_id.is_empty() => return self.move_fully_read(requester, room_id, event_id).await,
            ReceiptType::FullyRead => return Err(ServiceError::invalid_param("m.fully_read has no thread_id")),
        };
        self.set_receipts(requester, room_id, vec![receipt(receipt_type, thread_id, event_id)]).await
    }

    /// Moves what is set of the markers.
    ///
    /// # Errors
    /// What the owners answer; some may have moved then.
    pub(crate) async fn set_read_markers(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        markers: Markers,
    ) -> Result<(), ServiceError> {
        let Markers { fully_read, read, read_private } = markers;
        let of = |kind: &str, event_id: Option<OwnedEventId>| event_id.map(|event_id| receipt(kind, String::new(), &event_id));
        let receipts: Vec<_> = of(PUBLIC, read).into_iter().chain(of(PRIVATE, read_private)).collect();
        if !receipts.is_empty() {
            self.set_receipts(requester, room_id, receipts).await?;
        }
        match fully_read {
            Some(event_id) => self.move_fully_read(requester, room_id, &event_id).await,
            None => Ok(()),
        }
    }

    async fn set_receipts(&self, requester: &Requester, room_id: &RoomId, receipts: Vec<NewReceipt>) -> Result<(), ServiceError> {
        let request = SetReceiptsRequest { caller: Some(requester.to_rooms()), room_id: room_id.to_string(), receipts };
        let call = |mut client: RoomClient, request| async move { client.set_receipts(request).await };
        self.commands.room(room_id.as_str(), request, call).await.map(drop)
    }

    async fn move_fully_read(&self, requester: &Requester, room_id: &RoomId, event_id: &EventId) -> Result<(), ServiceError> {
        let member = self.rooms.membership(&requester.user_id, room_id).await?;
        if member.is_none_or(|row| row.membership != "join") {
            return Err(ServiceError::forbidden("You have not joined this room"));
        }
        let place = self.rooms.place_of(room_id, event_id).await?;
        let place = place.ok_or_else(|| ServiceError::not_found("There is no such event in this room"))?;
        let request = MoveFullyReadRequest {
            caller: Some(requester.to_users()),
            room_id: room_id.to_string(),
            event_id: event_id.to_string(),
            arrival: place.arrival,
            sub: place.sub,
        };
        let call = |mut client: UserClient, request| async move { client.move_fully_read(request).await };
        self.commands.user(requester.user_id.as_str(), request, call).await.map(drop)
    }
}

fn receipt(receipt_type: &str, thread_id: String, event_id: &EventId) -> NewReceipt {
    NewReceipt { receipt_type: receipt_type.to_owned(), thread_id, event_id: event_id.to_string() }
}
