//! User ids: what a new one may be, and what a person may type to name an old one (specification, appendices, "User Identifiers").

use banyan_core::{Entropy, ServiceError};

/// The longest user id, in bytes, with the `@` and the server name.
pub const MAX_USER_ID: usize = 255;

fn invalid_username(message: &'static str) -> ServiceError {
    ServiceError::matrix(banyan_core::ErrorCode::InvalidArgument, "M_INVALID_USERNAME", message)
}

/// The user id that registering `username` with the server `server_name` makes. Capital letters become small ones.
///
/// # Errors
/// `M_INVALID_USERNAME` if the name is empty, has other characters than `a-z 0-9 . _ = - / +`, or is too long.
pub fn for_registration(username: &str, server_name: &str) -> Result<String, ServiceError> {
    let localpart = username.to_ascii_lowercase();
    if localpart.is_empty() {
        return Err(invalid_username("A user name cannot be empty"));
    }
    if !localpart.bytes().all(is_localpart_byte) {
        return Err(invalid_username("A user name can only have the characters a-z, 0-9, or . _ = - / +"));
    }
    let user_id = format!("@{localpart}:{server_name}");
    if user_id.len() > MAX_USER_ID {
        return Err(invalid_username("The user name is too long"));
    }
    Ok(user_id)
}

const fn is_localpart_byte(b: u8) -> bool {
    matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-' | b'/' | b'+')
}

/// A user id for someone who chose no name, or for a guest.
#[must_use]
pub fn generated(server_name: &str, entropy: &dyn Entropy) -> String {
    format!("@{}:{server_name}", entropy.lowercase(16))
}

/// The user ids that `typed` (a user id or a localpart) can mean at login, best first: as typed, then in small letters. Historical ids, with
/// any character but `:` and NUL, are accepted. Empty if it can be nobody of this server.
#[must_use]
pub fn for_login(typed: &str, server_name: &str) -> Vec<String> {
    let localpart = match typed.strip_prefix('@').and_then(|rest| rest.split_once(':')) {
        Some((localpart, server)) if server == server_name => localpart,
        Some(_) => return Vec::new(),
        None => typed,
    };
    if localpart.is_empty() || localpart.contains([':', '\0']) {
        return Vec::new();
    }
    let mut ids = vec![format!("@{localpart}:{server_name}")];
    if localpart.bytes().any(|b| b.is_ascii_uppercase()) {
        ids.push(format!("@{}:{server_name}", localpart.to_ascii_lowercase()));
    }
    ids.retain(|id| id.len() <= MAX_USER_ID);
    ids
}

/// The server name of a user id; `None` if it is none.
#[must_use]
pub fn server_name(user_id: &str) -> Option<&str> {
    user_id.strip_prefix('@').and_then(|rest| rest.split_once(':')).map(|(_, server)| server)
}

/// The localpart of a user id; `None` if it is none.
#[must_use]
pub fn localpart(user_id: &str) -> Option<&str> {
    user_id.strip_prefix('@').and_then(|rest| rest.split_once(':')).map(|(localpart, _)| localpart)
}

#[cfg(test)]
mod tests {
    use banyan_core::SeededEntropy;

    use super::*;

    #[test]
    fn new_ids_follow_the_grammar() {
        assert_eq!(for_registration("Alice", "example.org").as_deref(), Ok("@alice:example.org"));
        assert_eq!(for_registration("a.b_c=d-e/f+9", "x:8448").as_deref(), Ok("@a.b_c=d-e/f+9:x:8448"));
        let long = "a".repeat(MAX_USER_ID - "@:x".len());
        assert!(for_registration(&long, "x").is_ok());
        for bad in ["", "a b", "ä", "@alice:example.org", "a:b", "a!", "a#b", "a\0", "a\n", "{}", &format!("{long}a")] {
            let error = for_registration(bad, "x").expect_err(bad);
            assert_eq!(error.errcode.as_deref(), Some("M_INVALID_USERNAME"), "{bad}");
        }
    }

    #[test]
    fn generated_ids_could_be_registered() {
        let id = generated("example.org", &SeededEntropy::new(1));
        assert_eq!(for_registration(localpart(&id).expect("a localpart"), "example.org"), Ok(id));
    }

    #[test]
    fn what_people_type_at_login_is_understood() {
        assert_eq!(for_login("alice", "x"), ["@alice:x"]);
        assert_eq!(for_login("@alice:x", "x"), ["@alice:x"]);
        assert_eq!(for_login("@Alice:x", "x"), ["@Alice:x", "@alice:x"]);
        assert_eq!(for_login("héllo wörld", "x"), ["@héllo wörld:x"]);
        assert_eq!(for_login("@alice:x:8448", "x:8448"), ["@alice:x:8448"]);
        for nobody in ["", "@alice:y", "a:b", "a\0", &"a".repeat(255)] {
            assert!(for_login(nobody, "x").is_empty(), "{nobody}");
        }
    }
}
