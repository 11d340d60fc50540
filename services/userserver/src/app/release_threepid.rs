//! Takes third-party identifiers from accounts (specification: Client-Server API, `POST /account/3pid/delete`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{ThreepidChanged, UserEntry, user_entry::Kind},
    userserver::{ReleaseThreepidRequest, ReleaseThreepidResponse},
};
use banyan_users::threepid;

use super::command::Command;
use crate::host::Inner;

/// The identifier is the account's no longer. One that is not the account's stays as it is.
pub(crate) async fn release_threepid(
    inner: &Inner,
    request: ReleaseThreepidRequest,
) -> Result<ReleaseThreepidResponse, ServiceError> {
    let ReleaseThreepidRequest { caller, medium, address } = request;
    let command = Command::of_user(inner, caller)?;
    let tenant = command.tenant_name();
    let name = threepid::owner_name(tenant, &medium, &address);
    let shard = inner.shard_of(&name)?;
    let mut turn = shard.turn(&name, tenant, command.request_id).await?;
    if !turn.earlier.is_empty() {
        return Ok(ReleaseThreepidResponse {});
    }
    let row = inner.shared.reader.threepid(tenant, &medium, &address).await?;
    if row.is_some_and(|row| row.user_id == command.user_id) {
        let changed = ThreepidChanged { tenant: tenant.to_owned(), medium, address, row: None, lost_by: command.user_id };
        turn.commit(vec![UserEntry { user_id: String::new(), kind: Some(Kind::Threepid(changed)) }]).await?;
    }
    Ok(ReleaseThreepidResponse {})
}
