//! What the guard found, for handlers.

use axum::extract::FromRequestParts;
use banyan_http::MatrixError;
use http::request::Parts;

use crate::app::{Requester, caller::Visitor};

/// Whoever asks, logged in or not.
pub(crate) struct Anyone(pub(crate) Visitor);

/// Who asks, logged in.
pub(crate) struct Caller(pub(crate) Requester);

impl<S: Send + Sync> FromRequestParts<S> for Anyone {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MatrixError> {
        let visitor = parts.extensions.get::<Visitor>().cloned();
        visitor.map(Self).ok_or_else(|| MatrixError::internal("an endpoint without its guard"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MatrixError> {
        let requester = parts.extensions.get::<Requester>().cloned();
        requester.map(Self).ok_or_else(|| MatrixError::internal("an endpoint with a caller that the table calls public"))
    }
}
