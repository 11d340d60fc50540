//! POST `/oauth2/logout`: signing out in a browser. Apps stay signed in.

use axum::{Form, extract::rejection::FormRejection, response::Response};
use serde::Deserialize;

use super::{
    browser::{Browser, own_page},
    login::address,
};

/// The form.
#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf: String,
    #[serde(default)]
    next: String,
}

/// Signs out, and shows the page for signing in.
pub(crate) async fn post(browser: Browser, form: Result<Form<Fields>, FormRejection>) -> Response {
    let fields = match form {
        Ok(Form(fields)) if browser.was_shown(&fields.csrf) => fields,
        _ => return browser.tell_unreadable(),
    };
    let next = own_page(&fields.next).map_or_else(|| "/oauth2/login".to_owned(), address);
    match browser.send_signed_out(&next).await {
        Ok(response) => response,
        Err(error) => browser.tell_error(&error),
    }
}
