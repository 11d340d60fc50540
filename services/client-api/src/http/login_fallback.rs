//! GET `/_matrix/static/client/login/`: a page that logs in, for clients that cannot themselves (specification: "Login Fallback").

use axum::{extract::State, response::Response};
use http::StatusCode;

use super::{extract::Anyone, pages::Page};
use crate::app::App;

/// The form can be sent by the script only: without it the password would go nowhere.
const FORM: &str = "<noscript><p>This page needs JavaScript.</p></noscript><p class=\"wrong\" role=\"alert\"></p><form method=\"post\">\
<label>User name<input type=\"text\" name=\"user\" required autocomplete=\"username\"></label>\
<label>Password<input type=\"password\" name=\"password\" required autocomplete=\"current-password\"></label>\
<button disabled>Log in</button></form>";

/// Logs in with what the form and the query say, and hands the answer to the client that shows the page.
const SCRIPT: &str = r#""use strict";
const form = document.forms[0], wrong = document.querySelector(".wrong"), button = form.querySelector("button");
async function logIn() {
  const { user, password } = form.elements, query = new URLSearchParams(location.search);
  const body = { type: "m.login.password", identifier: { type: "m.id.user", user: user.value }, password: password.value };
  for (const name of ["device_id", "initial_device_display_name"]) if (query.has(name)) body[name] = query.get(name);
  if (query.get("refresh_token") === "true") body.refresh_token = true;
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/_matrix/client/v3/login", { method: "POST", headers, body: JSON.stringify(body) });
  const response = await answer.json();
  if (!answer.ok) throw new Error(response.error);
  return response;
}
form.addEventListener("submit", async event => {
  event.preventDefault();
  button.disabled = true;
  wrong.textContent = "";
  try {
    const response = await logIn();
    form.replaceWith("You are logged in.");
    if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(response);
  } catch (error) {
    wrong.textContent = error.message;
    button.disabled = false;
  }
});
button.disabled = false;
"#;

/// Shows the form, where the tenant lets people log in by password.
pub(crate) async fn get(State(app): State<App>, Anyone(visitor): Anyone) -> Response {
    let login = &visitor.tenant.config().login;
    let page = if login.password && login.legacy {
        Page { status: StatusCode::OK, title: "Log in", body: FORM.to_owned(), script: Some(SCRIPT) }
    } else {
        let body = "<p>This server has no login by password.</p>".to_owned();
        Page { status: StatusCode::NOT_FOUND, title: "Log in", body, script: None }
    };
    page.answer(&*app.entropy)
}
