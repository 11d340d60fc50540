//! GET `/login/sso/redirect` and `/login/sso/redirect/{idpId}`: signing in to an app of the legacy API on the pages of this server.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use banyan_http::{MatrixError, Path, Query};
use http::{HeaderValue, StatusCode, header};
use maud::html;
use serde::Deserialize;

use super::{
    extract::Anyone,
    login::{must_be_served, sso_is_offered},
    oauth2::{continue_to_app, create, sso},
    pages::Page,
};
use crate::app::{
    App,
    caller::Visitor,
    oauth::{self, create::is_open, sso::provider},
};

/// The query.
#[derive(Deserialize)]
pub(crate) struct Params {
    #[serde(rename = "redirectUrl")]
    redirect_url: String,
    #[serde(default)]
    action: Option<String>,
}

/// Shows the ways to sign in, or to make an account; where there is but one provider and nothing else, goes there.
pub(crate) async fn any(Anyone(visitor): Anyone, Query(params): Query<Params>) -> Result<Response, MatrixError> {
    let base = served(&visitor)?;
    let (next, config) = (continue_to_app::address(&params.redirect_url), visitor.tenant.config());
    let page = match (&config.sso[..], params.action.as_deref()) {
        (_, Some("register")) if is_open(&visitor.tenant) => create::address(&next),
        ([only], _) if !config.login.password => sso::address(&only.id, &next),
        // It asks whoever is not signed in to do so first.
        _ => next,
    };
    redirect(&format!("{base}{page}"))
}

/// Goes to one provider.
pub(crate) async fn one(
    State(app): State<App>,
    Anyone(visitor): Anyone,
    Path(id): Path<String>,
    Query(params): Query<Params>,
) -> Result<Response, MatrixError> {
    let base = served(&visitor)?;
    if provider(&visitor.tenant, &id).is_none() {
        let body = html! { p role="alert" { "There is no such way to sign in here." } }.into_string();
        return Ok(Page { status: StatusCode::NOT_FOUND, title: "Sign in", body, script: None }.answer(&*app.entropy));
    }
    redirect(&format!("{base}{}", sso::address(&id, &continue_to_app::address(&params.redirect_url))))
}

fn served(visitor: &Visitor) -> Result<&str, MatrixError> {
    must_be_served(visitor)?;
    let base = oauth::base(visitor)?;
    if sso_is_offered(visitor) {
        Ok(base)
    } else {
        Err(MatrixError::new(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "Nobody signs in this way here"))
    }
}

fn redirect(location: &str) -> Result<Response, MatrixError> {
    let location = HeaderValue::from_str(location).map_err(|_| MatrixError::invalid_param("redirectUrl is no address"))?;
    Ok((StatusCode::FOUND, [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response())
}
