//! Rooms as those see them who look for rooms.

use banyan_proto::rooms::RoomSummary;
use ruma::RoomId;
use serde_json::{Map, Value};

/// What a directory shows of a room (`PublishedRoomsChunk`).
pub(super) fn chunk(room_id: &RoomId, summary: &RoomSummary) -> Map<String, Value> {
    let mut chunk = Map::new();
    chunk.insert("room_id".to_owned(), room_id.as_str().into());
    chunk.insert("num_joined_members".to_owned(), summary.joined.into());
    chunk.insert("world_readable".to_owned(), summary.world_readable.into());
    chunk.insert("guest_can_join".to_owned(), summary.guest_can_join.into());
    for (name, text) in [
        ("name", &summary.name),
        ("topic", &summary.topic),
        ("avatar_url", &summary.avatar_url),
        ("canonical_alias", &summary.canonical_alias),
        ("join_rule", &summary.join_rule),
        ("room_type", &summary.room_type),
    ] {
        insert(&mut chunk, name, text);
    }
    chunk
}

/// The same with what else there is to say of a room (`RoomSummary`).
pub(super) fn summary(room_id: &RoomId, summary: &RoomSummary) -> Map<String, Value> {
    let mut shown = chunk(room_id, summary);
    insert(&mut shown, "encryption", &summary.encryption);
    insert(&mut shown, "room_version", &summary.room_version);
    if !summary.allowed_room_ids.is_empty() {
        shown.insert("allowed_room_ids".to_owned(), summary.allowed_room_ids.clone().into());
    }
    shown
}

/// What is set.
fn insert(into: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        into.insert(name.to_owned(), text.into());
    }
}
