//! How often a registration token was used (specification: Client-Server API, "Token-authenticated registration").
//!
//! A use is first held by a registration's session, then completed just before the account is made, and released if the account was not
//! made after all. Held and completed uses together never exceed what the token allows, so a lost answer or a crash between the steps can
//! waste a use (a hold for an hour, a completed one for good) but never grants one too many.

use std::time::Duration;

use banyan_core::TimestampMicros;
use banyan_proto::users::RegistrationTokenRow;

use crate::token::TokenHash;

/// How long a use is held, and how long a completed one is remembered by its session. Longer than a session of user-interactive
/// authentication lasts.
pub const HOLD: Duration = Duration::from_secs(60 * 60);

/// Sessions remembered by one token; beyond it registrations must wait. Keeps the row well under an entry's size.
pub const MAX_SESSIONS: usize = 500;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many accounts it may make; `None`: any number.
    pub uses_allowed: Option<u64>,
    /// When it ends; `None`: never.
    pub expires: Option<TimestampMicros>,
}

/// What comes of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The token allows it, and the row is this now.
    Changed(RegistrationTokenRow),
    /// The token allows it, and there is nothing to write.
    Same,
    /// The token is used up or over.
    Invalid,
    /// Too many registrations are under way with this token.
    Busy,
}

/// Whether a token could be used now, for `/register/m.login.registration_token/validity`.
#[must_use]
pub fn is_valid(row: Option<&RegistrationTokenRow>, limits: Limits, now: TimestampMicros) -> bool {
    let over = limits.expires.is_some_and(|expires| expires <= now);
    let free = limits.uses_allowed.is_none_or(|allowed| row.is_none_or(|row| taken(row, now) < allowed));
    !over && free
}

/// A registration's session wants a use.
#[must_use]
pub fn hold(mut row: RegistrationTokenRow, limits: Limits, session: &str, now: TimestampMicros) -> Outcome {
    if limits.expires.is_some_and(|expires| expires <= now) {
        return Outcome::Invalid;
    }
    let Some(allowed) = limits.uses_allowed else { return Outcome::Same };
    prune(&mut row, now);
    let session = name(session);
    if row.finished.contains_key(&session) {
        return Outcome::Same;
    }
    if !row.pending.contains_key(&session) {
        if taken(&row, now) >= allowed {
            return Outcome::Invalid;
        }
        if row.pending.len() + row.finished.len() >= MAX_SESSIONS {
            return Outcome::Busy;
        }
    }
    row.pending.insert(session, later(now));
    Outcome::Changed(row)
}

/// The session's account is about to be made: the use counts now. Completing twice counts once.
#[must_use]
pub fn complete(mut row: RegistrationTokenRow, limits: Limits, session: &str, now: TimestampMicros) -> Outcome {
    let Some(allowed) = limits.uses_allowed else {
        row.completed += 1;
        return Outcome::Changed(row);
    };
    prune(&mut row, now);
    let session = name(session);
    if row.finished.contains_key(&session) {
        return Outcome::Same;
    }
    // A hold that ran out must find a use that is still free.
    if row.pending.remove(&session).is_none() && taken(&row, now) >= allowed {
        return Outcome::Invalid;
    }
    row.completed += 1;
    row.finished.insert(session, later(now));
    Outcome::Changed(row)
}

/// The session's account was not made: the use is free again.
#[must_use]
pub fn release(mut row: RegistrationTokenRow, limits: Limits, session: &str, now: TimestampMicros) -> Outcome {
    if limits.uses_allowed.is_none() {
        return Outcome::Same;
    }
    prune(&mut row, now);
    let session = name(session);
    let held = row.pending.remove(&session).is_some();
    let counted = row.finished.remove(&session).is_some();
    if counted {
        row.completed = row.completed.saturating_sub(1);
    }
    if held || counted { Outcome::Changed(row) } else { Outcome::Same }
}

/// Uses that are completed or held.
fn taken(row: &RegistrationTokenRow, now: TimestampMicros) -> u64 {
    row.completed + row.pending.values().filter(|until| **until > now.0).count() as u64
}

fn prune(row: &mut RegistrationTokenRow, now: TimestampMicros) {
    row.pending.retain(|_, until| *until > now.0);
    row.finished.retain(|_, until| *until > now.0);
}

fn later(now: TimestampMicros) -> i64 {
    now.0.saturating_add(i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX))
}

/// A session's name in the row: half of its hash, for the id itself is the client's secret.
fn name(session: &str) -> String {
    TokenHash::of(session).as_bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMicros = TimestampMicros(1_000_000_000);
    const TWO: Limits = Limits { uses_allowed: Some(2), expires: None };

    fn row(outcome: Outcome) -> RegistrationTokenRow {
        match outcome {
            Outcome::Changed(row) => row,
            other => panic!("{other:?}"),
        }
    }

    fn after(now: TimestampMicros, by: Duration) -> TimestampMicros {
        TimestampMicros(now.0 + i64::try_from(by.as_micros()).expect("small"))
    }

    #[test]
    fn holds_and_completed_uses_never_exceed_what_is_allowed() {
        let one = row(hold(RegistrationTokenRow::default(), TWO, "a", NOW));
        let two = row(hold(one, TWO, "b", NOW));
        assert_eq!(hold(two.clone(), TWO, "c", NOW), Outcome::Invalid);
        assert!(!is_valid(Some(&two), TWO, NOW));
        let two = row(hold(two, TWO, "b", NOW));
        let two = row(complete(two, TWO, "a", NOW));
        assert_eq!((two.completed, two.pending.len()), (1, 1));
        assert_eq!(hold(two.clone(), TWO, "c", NOW), Outcome::Invalid);
        let two = row(release(two, TWO, "b", NOW));
        let two = row(hold(two, TWO, "c", NOW));
        let two = row(complete(two, TWO, "c", NOW));
        assert_eq!(complete(two.clone(), TWO, "c", NOW), Outcome::Same);
        assert_eq!(two.completed, 2);
        assert_eq!(hold(two.clone(), TWO, "d", after(NOW, HOLD * 2)), Outcome::Invalid);
        assert_eq!(complete(two, TWO, "d", NOW), Outcome::Invalid);
    }

    #[test]
    fn a_hold_ends_by_itself() {
        let held = row(hold(row(hold(RegistrationTokenRow::default(), TWO, "a", NOW)), TWO, "b", NOW));
        let late = after(NOW, HOLD);
        assert!(is_valid(Some(&held), TWO, late));
        let held = row(hold(held, TWO, "c", late));
        assert_eq!(held.pending.len(), 1);
        let held = row(complete(held, TWO, "a", late));
        assert_eq!(complete(held, TWO, "b", late), Outcome::Invalid);
    }

    #[test]
    fn a_registration_that_failed_gives_its_use_back() {
        let used = row(complete(row(hold(RegistrationTokenRow::default(), TWO, "a", NOW)), TWO, "a", NOW));
        let free = row(release(used, TWO, "a", NOW));
        assert_eq!((free.completed, free.finished.len()), (0, 0));
        assert_eq!(release(free, TWO, "a", NOW), Outcome::Same);
    }

    #[test]
    fn a_token_without_a_limit_is_only_counted() {
        let limits = Limits { uses_allowed: None, expires: None };
        assert_eq!(hold(RegistrationTokenRow::default(), limits, "a", NOW), Outcome::Same);
        let used = row(complete(RegistrationTokenRow::default(), limits, "a", NOW));
        assert_eq!((used.completed, used.finished.len()), (1, 0));
        assert!(is_valid(Some(&used), limits, NOW));
    }

    #[test]
    fn an_expired_token_holds_nothing_and_a_held_one_still_completes() {
        let limits = Limits { uses_allowed: Some(1), expires: Some(after(NOW, Duration::from_secs(1))) };
        let held = row(hold(RegistrationTokenRow::default(), limits, "a", NOW));
        let late = after(NOW, Duration::from_secs(2));
        assert_eq!(hold(held.clone(), limits, "a", late), Outcome::Invalid);
        assert!(!is_valid(None, limits, late));
        assert_eq!(row(complete(held, limits, "a", late)).completed, 1);
    }

    #[test]
    fn the_row_stays_small() {
        let limits = Limits { uses_allowed: Some(10_000), expires: None };
        let mut full = RegistrationTokenRow::default();
        for n in 0..MAX_SESSIONS {
            full = row(hold(full, limits, &n.to_string(), NOW));
        }
        assert_eq!(hold(full.clone(), limits, "one more", NOW), Outcome::Busy);
        assert!(prost::Message::encoded_len(&full) < 48 * 1024);
        let no_session_is_stored = !format!("{full:?}").contains("\"123\"");
        assert!(no_session_is_stored);
    }
}
