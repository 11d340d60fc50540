//! Whose third-party identifiers are (specification: Client-Server API, "Adding Account Administrative Contact Information").

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{ThreepidChanged, UserEntry, user_entry::Kind},
    userserver::{ClaimThreepidRequest, ClaimThreepidResponse},
};
use banyan_users::threepid;

use super::command::{Command, active_account, malformed};
use crate::host::Inner;

/// Holds an identifier for a registration, or gives it to an account. That the address is theirs was proved at the edge; that it is nobody
/// else's is decided here, by the owner of the identifier's name. Each may be repeated.
pub(crate) async fn claim_threepid(inner: &Inner, request: ClaimThreepidRequest) -> Result<ClaimThreepidResponse, ServiceError> {
    let ClaimThreepidRequest { caller, medium, address, validated, session } = request;
    let is_user = caller.as_ref().is_some_and(|caller| !caller.user_id.is_empty());
    let command = if is_user { Command::of_user(inner, caller)? } else { Command::of_tenant(inner, caller)? };
    if medium != threepid::EMAIL || threepid::canonical_email(&address).as_ref() != Some(&address) {
        return Err(malformed("an address that is not canonical"));
    }
    if !is_user && session.is_empty() {
        return Err(malformed("neither a user nor a session"));
    }
    let (tenant, reader) = (command.tenant_name(), &inner.shared.reader);
    let name = threepid::owner_name(tenant, &medium, &address);
    let shard = inner.shard_of(&name)?;
    let mut turn = shard.turn(&name, tenant, command.request_id).await?;
    if is_user {
        active_account(inner, &command.user_id).await?;
    }
    let row = reader.threepid(tenant, &medium, &address).await?;
    let owner = row.as_ref().map(|row| row.user_id.clone()).unwrap_or_default();
    let lives = !owner.is_empty() && reader.account(&owner).await?.is_some_and(|account| !account.deactivated);
    let now = inner.shared.clock.now();
    let Some(row) = threepid::claim(row, lives, &command.user_id, &session, validated, now)? else {
        return Ok(ClaimThreepidResponse {});
    };
    if is_user {
        refuse_too_many(inner, &command.user_id).await?;
    }
    let changed = ThreepidChanged { tenant: tenant.to_owned(), medium, address, row: Some(row), lost_by: owner };
    turn.commit(vec![UserEntry { user_id: String::new(), kind: Some(Kind::Threepid(changed)) }]).await?;
    Ok(ClaimThreepidResponse {})
}

/// Identifiers of one user have many owners: a few too many at once is all that may come of it.
async fn refuse_too_many(inner: &Inner, user_id: &str) -> Result<(), ServiceError> {
    if inner.shared.reader.user_threepids(user_id).await?.len() < threepid::MAX_OF_ACCOUNT {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::Forbidden, "M_THREEPID_DENIED", "This account has as many addresses as it may"))
}
