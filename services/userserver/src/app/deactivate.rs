//! Ends an account for good (specification: Client-Server API, `POST /account/deactivate`).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Account, AccountDataChanged, Departure, UserEntry, user_entry::Kind},
    userserver::{DeactivateRequest, DeactivateResponse, FinishDepartureRequest, FinishDepartureResponse},
};

use super::{
    command::{Command, deactivated},
    delete_key_backup,
    end_devices::end_devices,
    entries,
    schedule_event::forget_all,
};
use crate::{
    host::Inner,
    shard::{MAX_GROUP, Turn},
};

/// Decides it, and notes that rooms are to be left; then ends the sessions. The name stays taken. Repeated it goes on where it stopped.
pub(crate) async fn deactivate(inner: &Inner, request: DeactivateRequest) -> Result<DeactivateResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let account = inner.shared.reader.account(user_id).await?.ok_or_else(|| ServiceError::not_found("There is no such user"))?;
    let mut erase = account.erased;
    if !account.deactivated {
        erase = request.erase;
        let since = inner.shared.clock.now().0;
        let account = Account { deactivated: true, erased: erase, password_hash: String::new(), ..account };
        let departure = Departure { tenant: command.tenant_name().to_owned(), since };
        turn.commit(vec![entries::account(user_id, account), entries::departure(user_id, Some(departure))]).await?;
        tracing::info!(user_id, erase, "account deactivated");
    }
    clear(inner, turn, user_id, erase).await?;
    Ok(DeactivateResponse {})
}

/// The rooms are left. What a stopped deactivation left over ends too.
pub(crate) async fn finish_departure(
    inner: &Inner,
    request: FinishDepartureRequest,
) -> Result<FinishDepartureResponse, ServiceError> {
    let command = Command::of_user(inner, request.caller)?;
    let user_id = command.user_id.as_str();
    let shard = inner.shard_of(user_id)?;
    let turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    let account = inner.shared.reader.account(user_id).await?.ok_or_else(deactivated)?;
    if !account.deactivated {
        return Err(ServiceError::forbidden("The user is still there"));
    }
    clear(inner, turn, user_id, account.erased).await?;
    let mut turn = shard.turn(user_id, command.tenant_name(), command.request_id).await?;
    turn.commit(vec![entries::departure(user_id, None)]).await?;
    Ok(FinishDepartureResponse {})
}

/// Forgets what was to be sent later and the backups of room keys, which nobody can read any more; ends the sessions and, to erase,
/// removes the profile and all account data.
async fn clear(inner: &Inner, mut turn: Turn<'_>, user_id: &str, erase: bool) -> Result<(), ServiceError> {
    for forgotten in forget_all(inner, user_id).await? {
        turn.commit(vec![forgotten]).await?;
    }
    delete_key_backup::delete_all(inner, &mut turn, user_id).await?;
    if erase {
        let mut gone = belongings(inner, user_id).await?;
        while !gone.is_empty() {
            let rest = gone.split_off(gone.len().min(MAX_GROUP));
            turn.commit(gone).await?;
            gone = rest;
        }
    }
    let devices = inner.shared.reader.devices(user_id).await?;
    end_devices(inner, turn, user_id, devices).await
}

/// The removal of all that a user has beside what they sent.
async fn belongings(inner: &Inner, user_id: &str) -> Result<Vec<UserEntry>, ServiceError> {
    let profile = inner.shared.reader.profile(user_id).await?;
    let mut gone: Vec<_> = profile.iter().map(|(field, value)| entries::profile(user_id, field, None, Some(value))).collect();
    // What the server supplies by itself has no entry.
    for data in inner.shared.reader.all_account_data(user_id).await?.into_iter().filter(|data| data.seq != 0) {
        let room_id = data.room_id.unwrap_or_default();
        let removed = AccountDataChanged { room_id, r#type: data.kind, content: Vec::new().into() };
        gone.push(entries::entry(user_id, Kind::AccountData(removed)));
    }
    Ok(gone)
}
