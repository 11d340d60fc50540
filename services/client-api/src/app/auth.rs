//! Who an access token stands for.

use std::sync::Arc;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{AccessToken, account};
use banyan_users::{TokenHash, user_id};
use ruma::OwnedUserId;

use super::{App, Requester, caller::Visitor};

/// Who may do something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    /// Guests may.
    pub(crate) guests: bool,
    /// Users whose account is locked may: only to log out.
    pub(crate) locked: bool,
    /// Users whose account is suspended may.
    pub(crate) suspended: bool,
}

impl App {
    /// The one who presents a token, if they are admitted.
    ///
    /// # Errors
    /// M_UNKNOWN_TOKEN (with `soft_logout` if it only expired), M_USER_LOCKED, M_USER_SUSPENDED, M_GUEST_ACCESS_FORBIDDEN; or the store
    /// failed.
    pub(crate) async fn authenticate(&self, visitor: Visitor, token: &str, admitted: Admitted) -> Result<Requester, ServiceError> {
        let hash = TokenHash::of(token);
        let session = self.look_up(&visitor, hash).await?;
        let row = &session.token;
        let user_id = OwnedUserId::try_from(row.user_id.as_str())
            .map_err(|error| ServiceError::internal(format!("a token's user: {error}")))?;
        if session.locked && !admitted.locked {
            return Err(locked());
        }
        if session.suspended && !admitted.suspended {
            return Err(suspended());
        }
        let guest = row.kind() == account::Kind::Guest;
        if guest && !admitted.guests {
            return Err(guest_access_forbidden());
        }
        let (device_id, suspended, oauth) = (row.device_id.clone(), session.suspended, !row.oauth_client.is_empty());
        Ok(Requester { visitor, user_id, device_id, guest, suspended, oauth, token: hash })
    }

    /// The session that a token stands for, while it lasts.
    async fn look_up(&self, visitor: &Visitor, hash: TokenHash) -> Result<Session, ServiceError> {
        if let Some(token) = self.tokens.get(&hash) {
            self.check_token(visitor, &token)?;
            return Ok(Session { token, locked: false, suspended: false });
        }
        let ticket = self.tokens.ticket();
        let row = self.users.access_token(&hash).await?.ok_or_else(|| unknown_token(false))?;
        self.check_token(visitor, &row)?;
        let account = self.users.account(&row.user_id).await?;
        let account = account.filter(|account| !account.deactivated).ok_or_else(|| unknown_token(false))?;
        if row.unconfirmed {
            self.confirm_token(visitor, &row.user_id, hash).await?;
        }
        let token = Arc::new(row);
        // Whoever is locked or suspended is looked up every time: nothing needs to be forgotten when that is lifted.
        if !account.locked && !account.suspended {
            self.tokens.put(ticket, hash, token.clone());
        }
        Ok(Session { token, locked: account.locked, suspended: account.suspended })
    }

    /// Whether a token lasts, and is one of this server's: another tenant's is as good as none.
    fn check_token(&self, visitor: &Visitor, row: &AccessToken) -> Result<(), ServiceError> {
        if row.expires != 0 && row.expires <= self.clock.now().0 {
            return Err(unknown_token(true));
        }
        if user_id::server_name(&row.user_id) == Some(visitor.server_name()) { Ok(()) } else { Err(unknown_token(false)) }
    }
}

/// A token and how its user stands.
struct Session {
    token: Arc<AccessToken>,
    locked: bool,
    suspended: bool,
}

/// 401 M_USER_LOCKED, a soft logout.
pub(crate) fn locked() -> ServiceError {
    let error = ServiceError::matrix(ErrorCode::Unauthenticated, "M_USER_LOCKED", "This account has been locked");
    error.with_extra(r#"{"soft_logout":true}"#.to_owned())
}

/// 403 M_USER_SUSPENDED.
pub(crate) fn suspended() -> ServiceError {
    ServiceError::matrix(ErrorCode::Forbidden, "M_USER_SUSPENDED", "You cannot perform this action while suspended.")
}

/// 403 M_GUEST_ACCESS_FORBIDDEN.
pub(crate) fn guest_access_forbidden() -> ServiceError {
    ServiceError::matrix(ErrorCode::Forbidden, "M_GUEST_ACCESS_FORBIDDEN", "Guests cannot do this")
}

fn unknown_token(soft_logout: bool) -> ServiceError {
    let message = if soft_logout { "The access token has expired" } else { "Unknown access token" };
    let error = ServiceError::matrix(ErrorCode::Unauthenticated, "M_UNKNOWN_TOKEN", message);
    error.with_extra(format!("{{\"soft_logout\":{soft_logout}}}"))
}
