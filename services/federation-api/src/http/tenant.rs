//! Which of our servers another server means.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use banyan_http::{MatrixError, host::requested_host};
use banyan_tenants::Tenant;
use http::request::Parts;

use super::Federation;

/// The tenant that the Host header (or `:authority`) names; 404 for any other name.
pub(super) struct Addressed(pub(super) Arc<Tenant>);

impl FromRequestParts<Federation> for Addressed {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, federation: &Federation) -> Result<Self, MatrixError> {
        let tenant = requested_host(parts).and_then(|host| federation.tenants.by_host(host));
        tenant.map(Self).ok_or_else(MatrixError::unknown_host)
    }
}
