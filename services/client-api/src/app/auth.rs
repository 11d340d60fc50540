//! Who an access token stands for.

use std::sync::Arc;

use banyan_core::{ErrorCode, ServiceError};
use banyan_proto::users::{AccessToken, account};
use banyan_users::TokenHash;
use ruma::OwnedUserId;

use super::{App, Requester, caller::Visitor};

impl App {
    /// The one who presents a token; guests only where `guests_too`.
    ///
    /// # Errors
    /// M_UNKNOWN_TOKEN (with `soft_logout` if it only expired), M_GUEST_ACCESS_FORBIDDEN; or the store failed.
    pub(crate) async fn authenticate(&self, visitor: Visitor, token: &str, guests_too: bool) -> Result<Requester, ServiceError> {
        let hash = TokenHash::of(token);
        let row = self.look_up(hash).await?.ok_or_else(|| unknown_token(false))?;
        if row.expires != 0 && row.expires <= self.clock.now().0 {
            return Err(unknown_token(true));
        }
        let user_id = OwnedUserId::try_from(row.user_id.as_str())
            .map_err(|error| ServiceError::internal(format!("a token's user: {error}")))?;
        // Another tenant's token is as good as none.
        if user_id.server_name() != visitor.tenant.name() {
            return Err(unknown_token(false));
        }
        let guest = row.kind() == account::Kind::Guest;
        if guest && !guests_too {
            return Err(guest_access_forbidden());
        }
        Ok(Requester { visitor, user_id, device_id: row.device_id.clone(), guest, token: hash })
    }

    async fn look_up(&self, hash: TokenHash) -> Result<Option<Arc<AccessToken>>, ServiceError> {
        if let Some(token) = self.tokens.get(&hash) {
            return Ok(Some(token));
        }
        let ticket = self.tokens.ticket();
        let Some(row) = self.users.access_token(&hash).await? else { return Ok(None) };
        let token = Arc::new(row);
        self.tokens.put(ticket, hash, token.clone());
        Ok(Some(token))
    }
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
