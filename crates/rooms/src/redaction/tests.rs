use serde_json::{Value, json};

use super::{applies, may_redact, prune};
use crate::{
    power::Powers,
    testing::{View, user},
};

#[tokio::test]
async fn what_is_left_depends_on_the_version_and_the_id_stays() {
    for (version, kept) in [("10", json!({ "membership": "join" })), ("11", json!({ "membership": "join" }))] {
        let view = View::with_room(version, "@a:one.org", &[], "public").await;
        let content = json!({ "membership": "join", "displayname": "A", "reason": "why" });
        let join = view.make("@b:two.org", "m.room.member", Some("@b:two.org"), content).await;
        let left = prune(&join).unwrap();
        assert_eq!(left.event_id(), join.event_id());
        assert_eq!(serde_json::from_str::<Value>(left.content().get()).unwrap(), kept);
    }
    // `creator` was dropped from the create event before version 11, everything is kept since.
    let mut old = View::new("10");
    let create = old.create("@a:one.org", json!({ "type": "m.space" })).await;
    assert_eq!(prune(&create).unwrap().content().get(), r#"{"creator":"@a:one.org"}"#);
    let mut new = View::new("11");
    let create = new.create("@a:one.org", json!({ "type": "m.space" })).await;
    assert_eq!(prune(&create).unwrap(), create);
}

#[tokio::test]
async fn one_s_own_events_and_power_allow_redaction() {
    let mut view = View::with_room("12", "@a:one.org", &["@mod:two.org"], "public").await;
    for name in ["@mod:two.org", "@b:two.org", "@c:three.org"] {
        view.member(name, name, "join").await.unwrap();
    }
    let message = view.send("@b:two.org", "m.room.message", None, json!({ "body": "x" })).await.unwrap();
    let powers: Powers = view.placer.powers(view.room(), view.version, &view.current()).await.unwrap();
    for (sender, server_may, user_may) in
        [("@a:one.org", true, true), ("@mod:two.org", true, true), ("@b:two.org", true, true), ("@c:three.org", false, false)]
    {
        let redaction = view.make(sender, "m.room.redaction", None, json!({ "redacts": message.event_id() })).await;
        assert_eq!(applies(&redaction, &message, &powers), server_may, "{sender}");
        assert_eq!(may_redact(&user(sender), &message, &powers), user_may, "{sender}");
    }
    let create = view.placed[0].clone();
    assert!(!may_redact(&user("@a:one.org"), &create, &powers), "the room's first event stays");
}
