//! What stands before every handler: which tenant, how often, who.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use banyan_core::RequestId;
use banyan_http::{Access, ClientAddr, Endpoint, MatrixError, credentials::access_token, host::requested_host};
use http::request::Parts;

use crate::app::{App, auth::Admitted, caller::Visitor, limits::Kind};

/// The checks of one row of the table.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: App,
    pub(crate) endpoint: &'static Endpoint,
}

/// Finds out who asks, and puts a `Visitor` and, with a token, a `Requester` into the request's extensions.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Result<Response, MatrixError> {
    let (mut parts, body) = request.into_parts();
    let visitor = guard.visitor(&parts)?;
    let token = match guard.endpoint.access {
        Access::Public => None,
        Access::Optional => access_token(&parts, guard.app.config.access_token_in_query)?,
        _ => Some(access_token(&parts, guard.app.config.access_token_in_query)?.ok_or_else(MatrixError::missing_token)?),
    };
    if let Some(token) = token {
        let requester = guard.app.authenticate(visitor.clone(), &token, admitted(guard.endpoint)).await?;
        guard.limit(&visitor, requester.user_id.as_str()).await?;
        parts.extensions.insert(requester);
    } else if guard.endpoint.rate_limited {
        guard.limit(&visitor, &visitor.address.to_string()).await?;
    }
    parts.extensions.insert(visitor);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// What a suspended user may not do at all (specification: "Account suspension"). A room that they make would be one that they join and
/// send to. Of messages and redactions, what they may do depends on the event: the use case decides.
const NOT_WHILE_SUSPENDED: [&str; 12] = [
    "createRoom",
    "deleteProfileField",
    "inviteUser",
    "inviteBy3PID",
    "joinRoom",
    "joinRoomById",
    "knockRoom",
    "setAvatarUrl",
    "setDisplayName",
    "setProfileField",
    "setRoomStateWithKey",
    "upgradeRoom",
];

/// Who may call an endpoint.
fn admitted(endpoint: &Endpoint) -> Admitted {
    Admitted {
        guests: matches!(endpoint.access, Access::Guest | Access::Optional),
        locked: matches!(endpoint.operation, "logout" | "logout_all"),
        suspended: !NOT_WHILE_SUSPENDED.contains(&endpoint.operation),
    }
}

impl Guard {
    fn visitor(&self, parts: &Parts) -> Result<Visitor, MatrixError> {
        let tenant = requested_host(parts).and_then(|host| self.app.tenants.by_host(host)).ok_or_else(MatrixError::unknown_host)?;
        let without_edge = || MatrixError::internal("a request without the edge around it");
        let request_id = *parts.extensions.get::<RequestId>().ok_or_else(without_edge)?;
        let ClientAddr(address) = *parts.extensions.get::<ClientAddr>().ok_or_else(without_edge)?;
        Ok(Visitor { tenant, request_id, address })
    }

    async fn limit(&self, visitor: &Visitor, caller: &str) -> Result<(), MatrixError> {
        Ok(self.app.limit(&visitor.tenant, Kind::of(self.endpoint), caller).await?)
    }
}
