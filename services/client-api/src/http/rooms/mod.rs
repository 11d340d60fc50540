//! Below `/rooms/{roomId}`.

pub(crate) mod aliases;
pub(crate) mod ban;
pub(crate) mod context;
pub(crate) mod delayed_event;
pub(crate) mod event;
pub(crate) mod forget;
pub(crate) mod hierarchy;
pub(crate) mod initial_sync;
pub(crate) mod invite;
pub(crate) mod join;
pub(crate) mod joined_members;
pub(crate) mod kick;
pub(crate) mod leave;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod read_markers;
pub(crate) mod receipt;
pub(crate) mod redact;
pub(crate) mod relations;
pub(crate) mod report;
pub(crate) mod send;
pub(crate) mod state;
pub(crate) mod threads;
pub(crate) mod timestamp_to_event;
pub(crate) mod typing;
pub(crate) mod unban;
pub(crate) mod upgrade;

use banyan_http::MatrixError;
use banyan_proto::roomserver::change_membership_request::Action;
use banyan_rooms::reader::Direction;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;

use super::reply::{Reply, empty};
use crate::app::{App, Requester, membership::Change};

/// A body that names whom it is about.
#[derive(Deserialize)]
pub(crate) struct Target {
    user_id: OwnedUserId,
    #[serde(default)]
    reason: Option<String>,
}

/// `dir` of the endpoints that page.
fn direction(dir: &str) -> Result<Direction, MatrixError> {
    match dir {
        "b" => Ok(Direction::Backward),
        "f" => Ok(Direction::Forward),
        _ => Err(MatrixError::invalid_param("dir is b or f")),
    }
}

/// Does `action` to somebody.
async fn change(app: &App, requester: &Requester, room_id: &OwnedRoomId, action: Action, target: Target) -> Reply {
    let change = Change { reason: target.reason, ..Change::of(&target.user_id, action) };
    app.change_membership(requester, room_id, change).await?;
    Ok(empty())
}
