//! Networks that are bridged: none.

use http::Method;
use serde_json::json;

use crate::world::{ALICE, GUEST_TOKEN, World, answer, assert_error};

const BASE: &str = "/_matrix/client/v3/thirdparty";

#[tokio::test]
async fn no_network_is_bridged() {
    let world = World::new().await;
    let protocols = world.get(&format!("{BASE}/protocols")).await;
    assert_eq!((protocols.0.as_u16(), protocols.1), (200, json!({})));
    for path in [
        "protocol/irc",
        "location/irc?channel=x",
        "user/irc?nick=x",
        "location?alias=%23a:one.test",
        &format!("user?userid={ALICE}"),
    ] {
        assert_error(&world.get(&format!("{BASE}/{path}")).await, 404, "M_NOT_FOUND");
    }
    for path in ["location?alias=nonsense", "user?userid=nonsense"] {
        assert_error(&world.get(&format!("{BASE}/{path}")).await, 400, "M_INVALID_PARAM");
    }
    for path in ["location", "user"] {
        assert_error(&world.get(&format!("{BASE}/{path}")).await, 400, "M_MISSING_PARAM");
    }
    for path in ["protocols", "protocol/irc", "location/irc", "user/irc", "location", "user"] {
        let guest = answer(world.request(Method::GET, &format!("{BASE}/{path}"), Some(GUEST_TOKEN))).await;
        assert_error(&guest, 403, "M_GUEST_ACCESS_FORBIDDEN");
    }
}

#[tokio::test]
async fn directories_of_networks_belong_to_application_services() {
    let world = World::new().await;
    let path = "/_matrix/client/v3/directory/list/appservice/irc/!r:one.test";
    assert_error(&world.put(path, json!({"visibility": "public"})).await, 403, "M_FORBIDDEN");
    assert_error(&world.put(path, json!({"visibility": "somewhat"})).await, 400, "M_BAD_JSON");
    let invalid = path.replace("!r:one.test", "nonsense");
    assert_error(&world.put(&invalid, json!({"visibility": "public"})).await, 400, "M_INVALID_PARAM");
}
