//! The OAuth 2.0 API (specification: Client-Server API, "OAuth 2.0 API"): this server lets apps in, on behalf of the people who say so on
//! its pages.
//!
//! No library takes this off us: `oxide-auth` keeps grants and codes behind synchronous traits in one process and knows neither
//! registration nor devices, and `oauth2` is the other side. What there is to it is small: rules about requests, here, and rows that are
//! used once, in [`banyan_users::oauth`]. Tokens are those of every other session.

pub(crate) mod account;
pub(crate) mod authorize;
pub(crate) mod client;
pub(crate) mod create;
pub(crate) mod device;
pub(crate) mod metadata;
pub(crate) mod pkce;
pub(crate) mod redirect_uri;
pub(crate) mod revoke;
pub(crate) mod scope;
pub(crate) mod sign_in;
pub(crate) mod sso;
pub(crate) mod token;
mod upstream;

use std::borrow::Cow;

use banyan_core::{ErrorCode, ServiceError};

use super::{Requester, caller::Visitor};

/// The grants that apps may ask for.
pub(crate) const AUTHORIZATION_CODE: &str = "authorization_code";
/// New tokens for old ones.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// For devices without a browser.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Why a request is refused, as OAuth 2.0 says it.
#[derive(Debug)]
pub(crate) enum OauthError {
    /// The code of the RFC that has it, and words for whoever develops the app.
    Refused(&'static str, Cow<'static, str>),
    /// Anything else.
    Service(ServiceError),
}

impl OauthError {
    pub(crate) fn refused(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(error, description.into())
    }
}

impl From<ServiceError> for OauthError {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

/// Where a tenant's OAuth 2.0 endpoints are.
///
/// # Errors
/// 404 M_UNRECOGNIZED where the tenant does not have them.
pub(crate) fn base(visitor: &Visitor) -> Result<&str, ServiceError> {
    let unrecognized = || ServiceError::matrix(ErrorCode::NotFound, "M_UNRECOGNIZED", "This server has no OAuth 2.0 API");
    visitor.tenant.oauth_base().ok_or_else(unrecognized)
}

/// Refuses what user-interactive authentication would have to allow: no token of this API can do that (specification: "OAuth 2.0 API").
///
/// # Errors
/// 403 M_FORBIDDEN.
pub(crate) fn refuse(requester: &Requester) -> Result<(), ServiceError> {
    if requester.oauth {
        return Err(ServiceError::forbidden("The session uses the OAuth 2.0 API: this is done on the account pages of the server"));
    }
    Ok(())
}
