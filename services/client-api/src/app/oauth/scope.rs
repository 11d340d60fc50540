//! What an app asks to be allowed (specification: "Scope").

use super::OauthError;

/// Full access, under its name and the one of MSC2967 that older apps use.
const FULL_ACCESS: [&str; 2] = ["urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"];
/// What a device's id follows, so too.
const DEVICE: [&str; 2] = ["urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:"];
/// The longest device id, in bytes.
const MAX_DEVICE_ID: usize = 255;

/// A scope that can be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The device that the tokens are for.
    pub(crate) device_id: String,
    /// As it was asked for, without what is not known here.
    pub(crate) text: String,
}

impl Scope {
    /// Reads the `scope` of a request: full access and exactly one device. What else it names is not granted.
    ///
    /// # Errors
    /// `invalid_scope`.
    pub(crate) fn parse(scope: &str) -> Result<Self, OauthError> {
        let refused = |why| Err(OauthError::refused("invalid_scope", why));
        let (mut device_ids, mut full_access, mut granted) = (Vec::new(), false, Vec::new());
        for token in scope.split(' ').filter(|token| !token.is_empty()) {
            if FULL_ACCESS.contains(&token) {
                full_access = true;
            } else if let Some(device_id) = DEVICE.iter().find_map(|prefix| token.strip_prefix(prefix)) {
                device_ids.push(device_id);
            } else {
                continue;
            }
            granted.push(token);
        }
        if !full_access {
            return refused("The scope must have urn:matrix:client:api:*");
        }
        let [device_id] = device_ids[..] else {
            return refused("The scope must have exactly one urn:matrix:client:device:");
        };
        if device_id.is_empty() || device_id.len() > MAX_DEVICE_ID || !device_id.bytes().all(is_allowed) {
            return refused("The device id is empty, too long, or has characters that a scope cannot have");
        }
        Ok(Self { device_id: device_id.to_owned(), text: granted.join(" ") })
    }
}

/// RFC 6749, section 3.3.
fn is_allowed(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_are_understood_and_the_rest_is_left_out() {
        let scope = Scope::parse("openid urn:matrix:client:api:* urn:matrix:client:device:A-b._~9 email").unwrap();
        assert_eq!(scope.device_id, "A-b._~9");
        assert_eq!(scope.text, "urn:matrix:client:api:* urn:matrix:client:device:A-b._~9");
        let old = "urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:ABC";
        assert_eq!(Scope::parse(old).unwrap(), Scope { device_id: "ABC".to_owned(), text: old.to_owned() });
    }

    #[test]
    fn what_cannot_be_granted_is_refused() {
        let long = format!("urn:matrix:client:api:* urn:matrix:client:device:{}", "x".repeat(256));
        for scope in [
            "",
            "urn:matrix:client:api:*",
            "urn:matrix:client:device:ABC",
            "urn:matrix:client:api:* urn:matrix:client:device:",
            "urn:matrix:client:api:* urn:matrix:client:device:A urn:matrix:client:device:B",
            "urn:matrix:client:api:* urn:matrix:client:device:\"",
            "urn:matrix:client:api:* urn:matrix:client:device:\u{e4}",
            &long,
        ] {
            assert!(matches!(Scope::parse(scope), Err(OauthError::Refused("invalid_scope", _))), "{scope}");
        }
    }
}
