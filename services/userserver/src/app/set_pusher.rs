//! Sets or removes a pusher (client-server specification, POST /pushers/set).

use banyan_core::ServiceError;
use banyan_proto::{
    users::{Pusher, UserEntry},
    userserver::{NewPusher, SetPusherRequest, SetPusherResponse},
};
use banyan_users::{PusherKey, pusher};

use super::{
    command::{Command, active_account},
    entries,
};
use crate::{host::Inner, shard::Turn};

/// Sets the pusher, or removes it.
pub(crate) async fn set_pusher(inner: &Inner, request: SetPusherRequest) -> Result<SetPusherResponse, ServiceError> {
    let SetPusherRequest { caller, app_id, pushkey, pusher: wanted, before } = request;
    let device_id = caller.as_ref().map(|caller| caller.device_id.clone()).unwrap_or_default();
    let command = Command::of_user(inner, caller)?;
    let key = PusherKey { app_id, pushkey };
    let wanted = wanted.map(|wanted| of_wish(wanted, device_id));
    match &wanted {
        Some(wanted) => pusher::check(&key, wanted)?,
        None => pusher::check_key(&key)?,
    }
    let shard = inner.shard_of(&command.user_id)?;
    let mut turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if turn.earlier.is_empty() {
        if wanted.is_some() {
            active_account(inner, &command.user_id).await?;
        }
        change(inner, &mut turn, &command.user_id, &key, wanted, before).await?;
    }
    let now = inner.shared.reader.pushers(&command.user_id).await?;
    let at = now.into_iter().find(|(other, _)| *other == key).map(|(_, pusher)| pusher.at);
    Ok(SetPusherResponse { at: at.unwrap_or_default() })
}

fn of_wish(wish: NewPusher, device_id: String) -> Pusher {
    let NewPusher { kind, app_display_name, device_display_name, profile_tag, lang, data } = wish;
    Pusher { kind, app_display_name, device_display_name, profile_tag, lang, data, device_id, at: 0 }
}

async fn change(
    inner: &Inner,
    turn: &mut Turn<'_>,
    user_id: &str,
    key: &PusherKey,
    wanted: Option<Pusher>,
    before: i64,
) -> Result<(), ServiceError> {
    let pushers = inner.shared.reader.pushers(user_id).await?;
    let now = pushers.iter().find(|(other, _)| other == key).map(|(_, pusher)| pusher);
    let unwanted = |pusher: &Pusher| before == 0 || pusher.at < before;
    if wanted.is_none() && !now.is_some_and(unwanted) {
        return Ok(());
    }
    if wanted.is_some() && now.is_none() && pushers.len() >= pusher::MAX_OF_USER {
        return Err(ServiceError::too_large("These are too many pushers"));
    }
    turn.commit(vec![entries::pusher(user_id, key, wanted)]).await
}

/// The entries that remove the pushers that devices set.
pub(super) async fn of_devices(
    inner: &Inner,
    user_id: &str,
    is_gone: impl Fn(&str) -> bool,
) -> Result<Vec<UserEntry>, ServiceError> {
    let pushers = inner.shared.reader.pushers(user_id).await?.into_iter();
    let gone = pushers.filter(|(_, pusher)| is_gone(&pusher.device_id));
    Ok(gone.map(|(key, _)| entries::pusher(user_id, &key, None)).collect())
}
