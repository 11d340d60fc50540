//! The rules against a model that reads the four definitions literally.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use ruma::events::room::{history_visibility::HistoryVisibility, member::MembershipState};

use super::{MembershipChange, Moment, joined_after, last_departure};
use crate::RoomPlace;

#[derive(Clone, Debug)]
enum Step {
    Membership(MembershipState),
    Visibility(HistoryVisibility),
    Message,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let membership = prop_oneof![
        3 => Just(MembershipState::Join),
        2 => Just(MembershipState::Leave),
        2 => Just(MembershipState::Invite),
        1 => Just(MembershipState::Ban),
        1 => Just(MembershipState::Knock),
    ];
    let visibility = prop_oneof![
        Just(HistoryVisibility::Shared),
        Just(HistoryVisibility::Invited),
        Just(HistoryVisibility::Joined),
        Just(HistoryVisibility::WorldReadable),
    ];
    let step = prop_oneof![
        membership.prop_map(Step::Membership),
        visibility.prop_map(Step::Visibility),
        any::<()>().prop_map(|()| Step::Message)
    ];
    proptest::collection::vec(step, 1..40)
}

/// The state before and after each step.
fn replay(steps: &[Step]) -> Vec<(Moment, Moment)> {
    let mut now = Moment { visibility: HistoryVisibility::Shared, membership: MembershipState::Leave };
    let mut moments = Vec::new();
    for step in steps {
        let before = now.clone();
        match step {
            Step::Membership(membership) => now.membership = membership.clone(),
            Step::Visibility(visibility) => now.visibility = visibility.clone(),
            Step::Message => {}
        }
        moments.push((before, now.clone()));
    }
    moments
}

/// "world_readable: anyone; shared: members, also what was sent before they came; invited: from the invitation on; joined: from the
/// join on", for either side of a step.
fn model(moments: &[(Moment, Moment)], index: usize) -> bool {
    let ever_joins_later = moments[index + 1..].iter().any(|(_, after)| after.membership == MembershipState::Join);
    let side = |moment: &Moment| match moment.visibility {
        HistoryVisibility::WorldReadable => true,
        HistoryVisibility::Shared => moment.membership == MembershipState::Join || ever_joins_later,
        HistoryVisibility::Invited => [MembershipState::Join, MembershipState::Invite].contains(&moment.membership),
        _ => moment.membership == MembershipState::Join,
    };
    side(&moments[index].0) || side(&moments[index].1)
}

fn changes(steps: &[Step]) -> Vec<MembershipChange> {
    let found = steps.iter().enumerate().filter_map(|(index, step)| match step {
        Step::Membership(membership) => {
            let place = RoomPlace::arrival(i64::try_from(index).unwrap());
            Some(MembershipChange { place, membership: membership.clone() })
        }
        _ => None,
    });
    let mut found: Vec<_> = found.collect();
    found.reverse();
    found
}

proptest! {
    #[test]
    fn the_rules_are_the_definitions(steps in steps()) {
        let moments = replay(&steps);
        let changes = changes(&steps);
        for (index, (before, after)) in moments.iter().enumerate() {
            let later = joined_after(&changes, RoomPlace::arrival(i64::try_from(index).unwrap()));
            let seen = before.allows(later) || after.allows(later);
            assert_eq!(seen, model(&moments, index), "step {index} of {steps:?}");
        }
    }

    #[test]
    fn the_last_departure_is_where_joining_last_ended(steps in steps()) {
        let moments = replay(&steps);
        let model = moments.iter().enumerate().rev().find_map(|(index, (before, after))| {
            let left = before.membership == MembershipState::Join && after.membership != MembershipState::Join;
            left.then(|| RoomPlace::arrival(i64::try_from(index).unwrap()))
        });
        assert_eq!(last_departure(&changes(&steps)), model);
    }
}

#[test]
fn a_setting_that_is_not_understood_is_shared() {
    assert_eq!(super::history_visibility(r#"{"history_visibility":"nobody"}"#), HistoryVisibility::Shared);
    assert_eq!(super::history_visibility(r#"{"history_visibility":7}"#), HistoryVisibility::Shared);
    assert_eq!(super::history_visibility("{}"), HistoryVisibility::Shared);
    assert_eq!(super::history_visibility(r#"{"history_visibility":"joined"}"#), HistoryVisibility::Joined);
}
