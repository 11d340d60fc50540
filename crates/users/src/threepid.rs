//! Third-party identifiers of accounts (specification: Client-Server API, "Adding Account Administrative Contact Information", and
//! appendices, "3PID Types"). Within a tenant an identifier belongs to one account, which the owner of its name's shard decides.
//!
//! A registration that proved an address first holds it, and has it once the account is made, so that two registrations with one address
//! do not both get through. What a deactivated account had is free.

use std::time::Duration;

use banyan_core::{ErrorCode, ServiceError, TimestampMicros};
use banyan_proto::users::ThreepidRow;

use crate::token::TokenHash;

/// The medium of e-mail addresses: the only one so far.
pub const EMAIL: &str = "email";
/// Bytes of an address.
pub const MAX_ADDRESS: usize = 254;
/// Identifiers of one account, at most.
pub const MAX_OF_ACCOUNT: usize = 50;
/// How long a registration holds an identifier. Longer than a session of user-interactive authentication lasts.
const HOLD: Duration = Duration::from_secs(60 * 60);

/// The name whose shard owns an identifier (see `ShardCount::shard_of`).
#[must_use]
pub fn owner_name(tenant: &str, medium: &str, address: &str) -> String {
    format!("{tenant}/{medium}/{address}")
}

/// The canonical form of an e-mail address, `user@domain` with case folded; `None` for what is none.
#[must_use]
pub fn canonical_email(text: &str) -> Option<String> {
    let text = text.trim();
    let (user, domain) = text.split_once('@')?;
    let misplaced = |c: char| c.is_whitespace() || c.is_control() || "@<>()[]\\,;:\"".contains(c);
    if user.is_empty() || domain.is_empty() || text.len() > MAX_ADDRESS || user.contains(misplaced) || domain.contains(misplaced) {
        return None;
    }
    // Folding case is more than small letters: ß is ss. Going through capitals does that.
    let folded = |part: &str| part.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect::<String>();
    Some(format!("{}@{}", folded(user), domain.to_lowercase()))
}

/// What becomes of an identifier that is claimed: `None`, it is so already.
///
/// `owner_lives`: the account that has it, if one does, is there and was not deactivated.
///
/// # Errors
/// `M_THREEPID_IN_USE` (400).
pub fn claim(
    row: Option<ThreepidRow>,
    owner_lives: bool,
    user_id: &str,
    session: &str,
    validated: i64,
    now: TimestampMicros,
) -> Result<Option<ThreepidRow>, ServiceError> {
    let row = row.unwrap_or_default();
    let holder = TokenHash::of(session).as_bytes().to_vec();
    let holds = !session.is_empty() && row.holder == holder;
    if row.user_id == user_id && !user_id.is_empty() {
        return Ok(None);
    }
    if !row.user_id.is_empty() && owner_lives {
        return Err(in_use());
    }
    if !row.holder.is_empty() && !holds && row.held_until > now.0 {
        return Err(in_use());
    }
    if user_id.is_empty() {
        let held_until = now.0.saturating_add(i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX / 2));
        return Ok(Some(ThreepidRow { holder: holder.into(), held_until, validated, ..ThreepidRow::default() }));
    }
    Ok(Some(ThreepidRow { user_id: user_id.to_owned(), validated, added: now.0, ..ThreepidRow::default() }))
}

/// 400 `M_THREEPID_IN_USE`.
#[must_use]
pub fn in_use() -> ServiceError {
    ServiceError::matrix(ErrorCode::InvalidArgument, "M_THREEPID_IN_USE", "This address belongs to another account")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMicros = TimestampMicros(1_000_000);

    #[test]
    fn addresses_have_one_form() {
        for (text, canonical) in [
            ("Alice@Example.COM", Some("alice@example.com")),
            (" alice@example.com ", Some("alice@example.com")),
            ("Strauß@Example.com", Some("strauss@example.com")),
            ("ΣΊΣΥΦΟΣ@example.com", Some("σίσυφοσ@example.com")),
            ("a+b.c@example.com", Some("a+b.c@example.com")),
            ("alice", None),
            ("@example.com", None),
            ("alice@", None),
            ("a@b@c", None),
            ("Alice <a@b.c>", None),
            ("a@b.c\r\nBcc: x@y.z", None),
            ("a,d@b.c", None),
        ] {
            assert_eq!(canonical_email(text).as_deref(), canonical, "{text}");
        }
        assert!(canonical_email(&format!("{}@b.c", "a".repeat(MAX_ADDRESS))).is_none());
    }

    fn claimed(row: Option<ThreepidRow>, user_id: &str, session: &str) -> Option<ThreepidRow> {
        claim(row, true, user_id, session, 5, NOW).expect("free")
    }

    #[test]
    fn one_account_has_an_identifier() {
        let alice = claimed(None, "@alice:x", "").expect("hers");
        assert_eq!((alice.user_id.as_str(), alice.validated, alice.added), ("@alice:x", 5, NOW.0));
        assert_eq!(claimed(Some(alice.clone()), "@alice:x", ""), None);
        for (user_id, session) in [("@bob:x", ""), ("", "s")] {
            let error = claim(Some(alice.clone()), true, user_id, session, 5, NOW).expect_err("in use");
            assert_eq!(error.errcode.as_deref(), Some("M_THREEPID_IN_USE"));
        }
        let bob = claim(Some(alice), false, "@bob:x", "", 5, NOW).expect("free").expect("his");
        assert_eq!(bob.user_id, "@bob:x");
    }

    #[test]
    fn a_registration_holds_it_until_the_account_is_made() {
        let held = claimed(None, "", "one").expect("held");
        assert!(held.user_id.is_empty());
        assert!(claim(Some(held.clone()), true, "", "two", 5, NOW).is_err());
        assert!(claim(Some(held.clone()), true, "@bob:x", "", 5, NOW).is_err());
        assert!(claimed(Some(held.clone()), "", "one").is_some());
        let had = claimed(Some(held.clone()), "@alice:x", "one").expect("hers");
        assert_eq!((had.user_id.as_str(), had.holder.len()), ("@alice:x", 0));
        let late = TimestampMicros(held.held_until);
        assert!(claim(Some(held), true, "", "two", 5, late).expect("free").is_some(), "a hold ends");
    }
}
