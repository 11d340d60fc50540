//! POST `…/msisdn/requestToken`, in its three forms: this server sends no text messages.

use banyan_core::{ErrorCode, ServiceError};
use banyan_http::Json as Body;
use serde_json::{Map, Value};

use super::reply::Reply;

/// 400 M_THREEPID_MEDIUM_NOT_SUPPORTED, whatever the number.
pub(crate) async fn request_token(Body(_): Body<Map<String, Value>>) -> Reply {
    let (errcode, message) = ("M_THREEPID_MEDIUM_NOT_SUPPORTED", "This server does not support phone numbers");
    Err(ServiceError::matrix(ErrorCode::InvalidArgument, errcode, message).into())
}
