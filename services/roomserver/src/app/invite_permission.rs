//! Users who take no invites (client-server specification, "Invite permission").

use banyan_core::{ErrorCode, ServiceError};
use ruma::UserId;

use crate::actor::Turn;

/// Refuses invites of users who block them.
pub(super) async fn check(turn: &Turn, user_id: &UserId) -> Result<(), ServiceError> {
    if !turn.users().blocks_invites(user_id.as_str()).await? {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::Forbidden, "M_INVITE_BLOCKED", format!("{user_id} takes no invites")))
}
