//! Makes an account (specification: Client-Server API, `POST /register`).

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::{
    users::{Account, UserEntry, account::Kind, user_entry},
    userserver::{LoginResponse, RegisterRequest},
};
use banyan_users::user_id;
use zeroize::Zeroizing;

use super::{
    command::Command,
    entries,
    issue_token::{Wanted, issue, lifetime},
};
use crate::{host::Inner, shard::Turn};

/// Makes the account unless the name was ever taken. Whether the caller may make one was decided at the edge.
///
/// Repeated under the same request id it does not answer `M_USER_IN_USE` but what the first try did, with a token that works.
pub(crate) async fn register(inner: &Inner, request: RegisterRequest) -> Result<LoginResponse, ServiceError> {
    let password = Zeroizing::new(request.password);
    let command = Command::of_user(inner, request.caller)?;
    check_name(&command)?;
    let kind = if request.guest { Kind::Guest } else { Kind::User };
    let wanted = Wanted {
        // "The server MUST pick a device_id for the account regardless of input."
        device_id: if request.guest { String::new() } else { request.device_id },
        display_name: request.initial_device_display_name,
        remote_addr: request.remote_addr,
        lifetime: lifetime(&command, request.refreshable),
        oauth_client: String::new(),
    };
    wanted.check()?;
    let shard = inner.shard_of(&command.user_id)?;
    // A name that is taken stays taken: that much is known without the turn, and spares hashing a password for nothing.
    let earlier = shard.earlier(command.request_id).await?;
    if !made_account(&earlier, &command.user_id) {
        refuse_taken(inner, &command.user_id).await?;
    }
    let password_hash = hash(inner, password, kind).await?;
    let turn = shard.turn(&command.user_id, command.tenant_name(), command.request_id).await?;
    if made_account(&turn.earlier, &command.user_id) {
        return repeat(inner, turn, &command, wanted).await;
    }
    refuse_taken(inner, &command.user_id).await?;
    let account = Account {
        kind: kind.into(),
        password_hash,
        created: inner.shared.clock.now().0,
        deactivated: false,
        admin: request.admin,
        accepted_terms: request.accepted_terms,
        external_ids: Some(request.external_id).filter(|id| !id.is_empty()).into_iter().collect(),
        ..Account::default()
    };
    let inhibit_login = request.inhibit_login && !request.guest;
    let answer = make(inner, turn, &command.user_id, account, (!inhibit_login).then_some(wanted)).await?;
    inner.shared.metrics.registered(command.tenant_name());
    tracing::info!(user_id = command.user_id, guest = request.guest, "account made");
    Ok(answer)
}

/// Commits the account, its first profile and, unless login is inhibited, its first device and token.
async fn make(
    inner: &Inner,
    mut turn: Turn<'_>,
    user_id: &str,
    account: Account,
    login: Option<Wanted>,
) -> Result<LoginResponse, ServiceError> {
    let kind = account.kind();
    let mut group = vec![entries::account(user_id, account)];
    if kind == Kind::User {
        // People without a name are hard to tell apart; the localpart is what every client would show.
        let name = serde_json::Value::from(user_id::localpart(user_id).unwrap_or_default());
        group.push(entries::profile(user_id, "displayname", Some(&name), None));
    }
    let answer = match login {
        Some(wanted) => {
            let issued = issue(inner, user_id, kind, &wanted).await?;
            group.extend(issued.entries);
            issued.answer
        }
        None => LoginResponse { user_id: user_id.to_owned(), ..LoginResponse::default() },
    };
    turn.commit(group).await?;
    Ok(answer)
}

/// The account was made by this very command: answers that, with a new token for the device it made.
async fn repeat(inner: &Inner, mut turn: Turn<'_>, command: &Command, mut wanted: Wanted) -> Result<LoginResponse, ServiceError> {
    let user_id = command.user_id.as_str();
    let Some(device_id) = entries::device_of(&turn.earlier, user_id) else {
        return Ok(LoginResponse { user_id: user_id.to_owned(), ..LoginResponse::default() });
    };
    let account = super::command::active_account(inner, user_id).await?;
    wanted.device_id = device_id;
    let issued = issue(inner, user_id, account.kind(), &wanted).await?;
    turn.commit(issued.entries).await?;
    Ok(issued.answer)
}

fn made_account(entries: &[UserEntry], user_id: &str) -> bool {
    entries.iter().any(|entry| entry.user_id == user_id && matches!(entry.kind, Some(user_entry::Kind::Account(_))))
}

fn check_name(command: &Command) -> Result<(), ServiceError> {
    let localpart = user_id::localpart(&command.user_id).unwrap_or_default();
    let proper = user_id::for_registration(localpart, command.tenant_name())?;
    if proper == command.user_id {
        return Ok(());
    }
    Err(ServiceError::matrix(ErrorCode::InvalidArgument, "M_INVALID_USERNAME", "A user name has no capital letters"))
}

async fn refuse_taken(inner: &Inner, user_id: &str) -> Result<(), ServiceError> {
    match inner.shared.reader.account(user_id).await? {
        None => Ok(()),
        Some(_) => Err(ServiceError::matrix(ErrorCode::Conflict, "M_USER_IN_USE", "Desired user ID is already taken.")),
    }
}

/// The hash to store; empty for accounts that have no password.
async fn hash(inner: &Inner, password: Zeroizing<String>, kind: Kind) -> Result<String, ServiceError> {
    if password.is_empty() || kind == Kind::Guest { Ok(String::new()) } else { inner.shared.passwords.hash(password).await }
}
