//! A filter as clients write it.

use serde::Deserialize;

use super::EventFormat;

#[derive(Debug, Default, Deserialize)]
pub(super) struct FilterDefinition {
    pub(super) event_fields: Option<Vec<String>>,
    pub(super) event_format: Option<EventFormat>,
    // Presence is not sent; what is wrong with its filter is still refused.
    #[serde(rename = "presence")]
    _presence: Option<EventFilterDefinition>,
    pub(super) account_data: Option<EventFilterDefinition>,
    pub(super) room: Option<RoomFilterDefinition>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct EventFilterDefinition {
    pub(super) not_senders: Option<Vec<String>>,
    pub(super) not_types: Option<Vec<String>>,
    pub(super) senders: Option<Vec<String>>,
    pub(super) types: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RoomFilterDefinition {
    pub(super) not_rooms: Option<Vec<String>>,
    pub(super) rooms: Option<Vec<String>>,
    pub(super) ephemeral: Option<RoomEventFilterDefinition>,
    pub(super) include_leave: Option<bool>,
    pub(super) state: Option<RoomEventFilterDefinition>,
    pub(super) timeline: Option<RoomEventFilterDefinition>,
    pub(super) account_data: Option<RoomEventFilterDefinition>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RoomEventFilterDefinition {
    pub(super) limit: Option<u64>,
    pub(super) not_senders: Option<Vec<String>>,
    pub(super) not_types: Option<Vec<String>>,
    pub(super) senders: Option<Vec<String>>,
    pub(super) types: Option<Vec<String>>,
    pub(super) not_rooms: Option<Vec<String>>,
    pub(super) rooms: Option<Vec<String>>,
    pub(super) contains_url: Option<bool>,
    pub(super) lazy_load_members: Option<bool>,
    pub(super) include_redundant_members: Option<bool>,
    pub(super) unread_thread_notifications: Option<bool>,
}
