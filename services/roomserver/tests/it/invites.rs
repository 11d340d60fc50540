//! Users who take no invites, and rooms that are forgotten at once.

use banyan_proto::roomserver::change_membership_request::Action;
use serde_json::json;

use crate::world::{World, errcode};

const ALICE: &str = "@alice:one.test";
const BOB: &str = "@bob:two.test";

#[tokio::test]
async fn who_blocks_invites_is_invited_by_nobody() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({})).await.unwrap();
    world.account_data(BOB, "m.invite_permission_config", json!({"default_action": "block"})).await;
    assert_eq!(errcode(world.act(ALICE, Action::Invite, BOB, &room).await), "M_INVITE_BLOCKED");
    let by_state = world.set(ALICE, &room, "m.room.member", BOB, json!({"membership": "invite"})).await;
    assert_eq!(errcode(by_state), "M_INVITE_BLOCKED");
    assert_eq!(errcode(world.create(ALICE, json!({"invite": [BOB]})).await), "M_INVITE_BLOCKED");
    assert_eq!(errcode(world.act("@carol:one.test", Action::Invite, BOB, &room).await), "M_FORBIDDEN");
    // Coming by oneself is no invite.
    let open = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    world.join(BOB, &open).await;
    world.account_data(BOB, "m.invite_permission_config", json!({})).await;
    world.act(ALICE, Action::Invite, BOB, &room).await.unwrap();
}

#[tokio::test]
async fn rooms_are_forgotten_at_once_where_the_tenant_wants_it_so() {
    let world = World::new().await;
    let room = world.create(ALICE, json!({"preset": "public_chat"})).await.unwrap();
    let (forgetful, other) = ("@dora:forgetting.test", BOB);
    let forgotten = async |user: &str| {
        let row = world.reader.membership(user.try_into().unwrap(), &room).await.unwrap().unwrap();
        (row.membership, row.forgotten)
    };
    for user in [forgetful, other] {
        for (action, by, membership) in
            [(Action::Leave, user, "leave"), (Action::Kick, ALICE, "leave"), (Action::Ban, ALICE, "ban")]
        {
            world.join(user, &room).await;
            assert_eq!(forgotten(user).await, ("join".to_owned(), false));
            world.act(by, action, user, &room).await.unwrap();
            assert_eq!(forgotten(user).await, (membership.to_owned(), user == forgetful));
        }
    }
    world.act(ALICE, Action::Unban, forgetful, &room).await.unwrap();
    assert_eq!(forgotten(forgetful).await, ("leave".to_owned(), true));
}
