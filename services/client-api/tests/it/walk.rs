//! Every row of the table of endpoints: without a token, with a wrong token, with a wrong method, with a broken body.

use banyan_http::{
    Access, Api, Endpoint,
    endpoints::{self, Verb},
};
use http::Method;

use crate::world::{ALICE_TOKEN, World, answer, assert_error};

/// Served endpoints that take no body, or a form.
const WITHOUT_BODY: [&str; 25] = [
    "logout",
    "logout_all",
    "submitAuthFallback",
    // It has errors of its own (RFC 7591).
    "registerOauthClient",
    "requestOauthToken",
    "revokeOauthToken",
    "decideAuthorization",
    "signIn",
    "signOut",
    "createAccount",
    "beginDeviceGrant",
    "decideDeviceLink",
    "endAccountDevice",
    "changePasswordOnPage",
    "confirmOnPage",
    "changeAccountProfile",
    "deactivateOnPage",
    "approveReset",
    "confirmEmail",
    "chooseUserName",
    "continueToApp",
    "closeReport",
    "cancelDelayedEvent",
    "restartDelayedEvent",
    "sendDelayedEvent",
];

fn rows() -> impl Iterator<Item = (Api, &'static Endpoint)> {
    endpoints::ENDPOINTS.iter().flat_map(|(api, rows)| rows.iter().map(|row| (*api, row)))
}

/// Whether this role serves the row.
fn is_served(api: Api, row: &Endpoint) -> bool {
    matches!(api, Api::Client | Api::Extension) && row.served_by.is_some()
}

/// The row's paths with parameters that can be read.
fn paths(row: &Endpoint) -> Vec<String> {
    let fill = |path: String| {
        path.replace("{roomId}", "!r:one.test")
            .replace("{roomIdOrAlias}", "!r:one.test")
            .replace("{roomAlias}", "%23a:one.test")
            .replace("{userId}", "@alice:one.test")
            .replace("{eventId}", "$e")
            .replace(['{', '}'], "")
    };
    row.paths().into_iter().map(fill).collect()
}

#[tokio::test]
async fn without_a_token_and_with_a_wrong_one() {
    let world = World::new().await;
    for (_, row) in rows().filter(|(api, row)| is_served(*api, row)) {
        for path in paths(row) {
            let method = Method::from(row.verb);
            let without = answer(world.request(method.clone(), &path, None).body("{}")).await;
            // Whoever has no token proves an address for this, where the tenant sends mails: not here.
            let by_mail = row.operation == "changePassword";
            if matches!(row.access, Access::Public | Access::Optional) && !by_mail {
                assert_ne!(without.0.as_u16(), 405, "{path}");
                assert_ne!(without.1["errcode"], "M_MISSING_TOKEN", "{path}");
            } else {
                assert_error(&without, 401, "M_MISSING_TOKEN");
            }
            if row.access == Access::Public {
                continue;
            }
            let wrong = answer(world.request(method.clone(), &path, Some("wrong")).body("{}")).await;
            assert_error(&wrong, 401, "M_UNKNOWN_TOKEN");
            assert_eq!(wrong.1["soft_logout"], false);
            let query = format!("{path}?access_token=wrong");
            assert_error(&answer(world.request(method, &query, None).body("{}")).await, 401, "M_UNKNOWN_TOKEN");
        }
    }
}

#[tokio::test]
async fn with_a_wrong_method() {
    let world = World::new().await;
    for (_, row) in rows().filter(|(api, row)| is_served(*api, row)) {
        for path in paths(row) {
            let response = world.request(Method::PATCH, &path, Some(ALICE_TOKEN)).send().await.unwrap();
            let allow = response.headers()["allow"].to_str().unwrap().to_owned();
            assert!(allow.contains(Method::from(row.verb).as_str()), "{path}: {allow}");
            let status = response.status();
            assert_error(&(status, response.json().await.unwrap()), 405, "M_UNRECOGNIZED");
        }
    }
}

#[tokio::test]
async fn with_a_broken_body() {
    let world = World::new().await;
    let takes_body = |row: &Endpoint| matches!(row.verb, Verb::Post | Verb::Put) && !WITHOUT_BODY.contains(&row.operation);
    for (_, row) in rows().filter(|(api, row)| is_served(*api, row) && takes_body(row)) {
        for path in paths(row) {
            // What some endpoints require in the query, and the others do not look at.
            let path = format!("{path}?version=1");
            for body in ["{", "{\"a\":1,}", "nonsense"] {
                let request = world.request(row.verb.into(), &path, Some(ALICE_TOKEN)).body(body);
                assert_error(&answer(request).await, 400, "M_NOT_JSON");
            }
            let request = world.request(row.verb.into(), &path, Some(ALICE_TOKEN)).body("[]");
            assert_error(&answer(request).await, 400, "M_BAD_JSON");
            let request = world.request(row.verb.into(), &path, Some(ALICE_TOKEN)).body(" ".repeat((1 << 20) + 1));
            assert_error(&answer(request).await, 413, "M_TOO_LARGE");
        }
    }
    assert!(world.fakes.take().is_empty(), "nothing of this may reach an owner");
}

#[tokio::test]
async fn what_is_not_served_is_unrecognized() {
    let world = World::new().await;
    let served: Vec<String> = rows().filter(|(api, row)| is_served(*api, row)).flat_map(|(_, row)| paths(row)).collect();
    for (_, row) in rows().filter(|(api, row)| !is_served(*api, row)) {
        // Another method, or another operation, of the same path may be served.
        for path in paths(row).iter().filter(|path| !row.path.ends_with("/invite") && !served.contains(path)) {
            let request = world.request(row.verb.into(), path, Some(ALICE_TOKEN)).body("{}");
            assert_error(&answer(request).await, 404, "M_UNRECOGNIZED");
        }
    }
    for (path, method) in
        [("pushrules/global/override/.m.rule.master", Method::POST), ("directory/room/%23a:one.test", Method::POST)]
    {
        let request = world.request(method, &format!("/_matrix/client/v3/{path}"), Some(ALICE_TOKEN)).body("{}");
        assert_error(&answer(request).await, 405, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn an_unknown_host_is_404_and_preflight_always_succeeds() {
    let world = World::new().await;
    for (_, row) in rows().filter(|(api, row)| is_served(*api, row)) {
        let path = &paths(row)[0];
        let url = format!("http://{}{path}", world.address);
        let foreign = reqwest::Client::new().request(row.verb.into(), url).header("host", "three.test").body("{}");
        assert_error(&answer(foreign).await, 404, "M_NOT_FOUND");
        let preflight = world.request(Method::OPTIONS, path, None).send().await.unwrap();
        assert_eq!(preflight.status().as_u16(), 204, "{path}");
        assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    }
    assert!(world.fakes.take().is_empty());
}
