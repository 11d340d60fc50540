//! POST `…/email/requestToken`, in its three forms: a mail that proves an address.

use axum::{Json, extract::State};
use banyan_http::Json as Body;
use banyan_users::validation::Purpose;
use serde_json::json;

use super::{extract::Anyone, reply::Reply};
use crate::app::{App, email::TokenWish};

/// For an account that is to be made.
pub(crate) async fn to_register(State(app): State<App>, Anyone(visitor): Anyone, Body(wish): Body<TokenWish>) -> Reply {
    let sid = app.request_email_token(&visitor, Purpose::Register, &wish).await?;
    Ok(Json(json!({ "sid": sid })))
}

/// For an account that is there.
pub(crate) async fn to_add(State(app): State<App>, Anyone(visitor): Anyone, Body(wish): Body<TokenWish>) -> Reply {
    let sid = app.request_email_token(&visitor, Purpose::Add, &wish).await?;
    Ok(Json(json!({ "sid": sid })))
}

/// For an account whose password was forgotten.
pub(crate) async fn to_reset(State(app): State<App>, Anyone(visitor): Anyone, Body(wish): Body<TokenWish>) -> Reply {
    let sid = app.request_email_token(&visitor, Purpose::Reset, &wish).await?;
    Ok(Json(json!({ "sid": sid })))
}
