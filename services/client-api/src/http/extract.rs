//! What the guard found, for handlers.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use banyan_http::MatrixError;
use http::request::Parts;

use crate::app::{Requester, caller::Visitor};

/// Whoever asks, logged in or not.
pub(crate) struct Anyone(pub(crate) Visitor);

/// Who asks, logged in.
pub(crate) struct Caller(pub(crate) Requester);

/// Who asks, if they are logged in.
pub(crate) struct MaybeCaller(pub(crate) Option<Requester>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Requester>().cloned()))
    }
}

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
