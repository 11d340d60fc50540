//! Rows by which events are found otherwise than by place or id.

use banyan_log::DerivedRow;
use banyan_proto::rooms::Placed;
use serde::Deserialize;

use crate::{RoomPlace, tables::event_time};

/// What of an event its index rows are made of.
#[derive(Deserialize)]
struct Indexed {
    #[serde(default)]
    origin_server_ts: i64,
}

/// The rows of an event that clients are shown. One that cannot be read has none.
pub(super) fn of_placed(room_id: &str, placed: &Placed) -> Vec<DerivedRow> {
    let Ok(event) = serde_json::from_slice::<Indexed>(&placed.pdu) else { return Vec::new() };
    let place = RoomPlace::new(placed.arrival, placed.sub);
    event_time::put(room_id, event.origin_server_ts, place, &placed.event_id).into()
}
