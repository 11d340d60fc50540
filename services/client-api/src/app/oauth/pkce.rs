//! Proof that who exchanges a code is who asked for it (RFC 7636), by S256 alone.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether a text can be the S256 of a verifier: 32 bytes in unpadded base64url.
pub(crate) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether a verifier is what a challenge was made of. Takes the same time wherever they differ.
pub(crate) fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_holds() {
        assert!(is_challenge(CHALLENGE) && proves(VERIFIER, CHALLENGE));
    }

    #[test]
    fn nothing_else_does() {
        assert!(!proves(&VERIFIER.replace('d', "e"), CHALLENGE));
        assert!(!proves(CHALLENGE, CHALLENGE), "plain is not taken");
        assert!(!proves("short", CHALLENGE) && !proves(&"a".repeat(129), CHALLENGE) && !proves(&"ä".repeat(30), CHALLENGE));
        assert!(!is_challenge("") && !is_challenge(&CHALLENGE[1..]) && !is_challenge(&format!("{CHALLENGE}=")));
    }
}
