//! The members that clients name a nameless room by (`m.heroes`, client-server specification, "Calculating the display name for a
//! room"): the head keeps six, so that five are left without the reader.

/// How many are kept.
pub const MAX_HEROES: usize = 6;

/// Takes one change of membership up. The list begins with members who joined or were invited, by order of coming, as many as there
/// are up to [`MAX_HEROES`]; then come those who left last. `active_before`: how many were joined or invited before the change.
/// Answers whether an active member who is not listed must now be found ([`refill`]).
pub fn change(heroes: &mut Vec<String>, active_before: u64, user: &str, was_active: bool, is_active: bool) -> bool {
    let active = usize::try_from(active_before).unwrap_or(MAX_HEROES).min(heroes.len());
    let listed = heroes.iter().position(|hero| hero == user);
    match (was_active, is_active) {
        (false, true) => {
            if let Some(index) = listed {
                heroes.remove(index);
            }
            heroes.insert(active.min(heroes.len()), user.to_owned());
            heroes.truncate(MAX_HEROES);
            false
        }
        (true, false) => {
            let Some(index) = listed else { return false };
            heroes.remove(index);
            heroes.insert(active.saturating_sub(1).min(heroes.len()), user.to_owned());
            active_before > active as u64
        }
        _ => false,
    }
}

/// Fills the places of active members up from `members`, joined or invited ones by order of coming. `active`: how many there are.
pub fn refill(heroes: &mut Vec<String>, active: u64, members: impl IntoIterator<Item = String>) {
    let wanted = usize::try_from(active).unwrap_or(MAX_HEROES).min(MAX_HEROES);
    let members: Vec<String> = members.into_iter().collect();
    let mut filled: Vec<String> = heroes.iter().filter(|hero| members.contains(hero)).cloned().collect();
    for member in members {
        if filled.len() >= wanted {
            break;
        }
        if !filled.contains(&member) {
            filled.push(member);
        }
    }
    let left: Vec<String> = heroes.iter().filter(|hero| !filled.contains(hero)).cloned().collect();
    filled.extend(left);
    filled.truncate(MAX_HEROES);
    *heroes = filled;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_six_to_come_are_kept_and_leavers_stand_last() {
        let mut heroes = Vec::new();
        for n in 0..8_u64 {
            assert!(!change(&mut heroes, n, &format!("u{n}"), false, true));
        }
        assert_eq!(heroes, ["u0", "u1", "u2", "u3", "u4", "u5"]);
        assert!(change(&mut heroes, 8, "u2", true, false), "u6 and u7 are active and not listed");
        assert_eq!(heroes, ["u0", "u1", "u3", "u4", "u5", "u2"]);
        refill(&mut heroes, 7, ["u0", "u1", "u3", "u4", "u5", "u6", "u7"].map(str::to_owned));
        assert_eq!(heroes, ["u0", "u1", "u3", "u4", "u5", "u6"]);
    }

    #[test]
    fn a_room_of_two_keeps_the_one_who_left() {
        let mut heroes = vec!["a".to_owned(), "b".to_owned()];
        assert!(!change(&mut heroes, 2, "b", true, false));
        assert_eq!(heroes, ["a", "b"]);
        assert!(!change(&mut heroes, 1, "c", false, true));
        assert_eq!(heroes, ["a", "c", "b"], "b is no member and stands behind c");
    }
}
