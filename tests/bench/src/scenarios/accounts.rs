//! Logins with a password, and requests that do nothing but authenticate.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::rate;
use crate::{
    connection::RequestError,
    people::{PASSWORD, Person, Server},
    report::Figure,
};

/// People who ask at a time.
const PEOPLE: usize = 64;

/// Measures both for `length`.
pub(crate) async fn run(server: &Server, length: Duration) -> Result<Vec<Figure>, RequestError> {
    let people = Person::register_many(server, "accounts", PEOPLE).await?;
    let whoami = |_, _| (Method::GET, "/_matrix/client/v3/account/whoami".to_owned(), None);
    let mut figures = rate::run("/whoami", &people, length, whoami).await?;
    let users: Vec<String> = people.iter().map(|person| person.user_id.clone()).collect();
    // Each time on the same device: people would have thousands of them.
    let login = move |person: usize, _| {
        let identifier = json!({ "type": "m.id.user", "user": users[person] });
        let body = json!({ "type": "m.login.password", "identifier": identifier, "password": PASSWORD, "device_id": "BENCH" });
        (Method::POST, "/_matrix/client/v3/login".to_owned(), Some(body))
    };
    figures.extend(rate::run("logins", &people, length, login).await?);
    Ok(figures)
}
