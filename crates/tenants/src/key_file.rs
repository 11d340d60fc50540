//! Signing keys in files of the operator's.

use base64::{Engine, alphabet, engine};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use zeroize::Zeroizing;

use crate::ServerKey;

/// Base64 with or without padding, and as forgiving about the last character as other servers are: the specification's own example needs it.
pub(crate) const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent),
);

/// Reads a key: PKCS#8 in PEM (named after its public key), or one line `ed25519 <name> <base64 of the 32 secret bytes>`.
///
/// Errors say what is wrong and never quote the content.
pub(crate) fn parse(content: &str) -> Result<ServerKey, String> {
    if content.trim_start().starts_with("-----BEGIN") { parse_pem(content.trim()) } else { parse_line(content) }
}

fn parse_pem(content: &str) -> Result<ServerKey, String> {
    let key = SigningKey::from_pkcs8_pem(content).map_err(|e| format!("not an ed25519 private key in PKCS#8 PEM: {e}"))?;
    let public = key.verifying_key().to_bytes();
    let name: String = public[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    ServerKey::new(&format!("a_{name}"), Zeroizing::new(key.to_bytes()))
}

fn parse_line(content: &str) -> Result<ServerKey, String> {
    const FORM: &str = "expected PKCS#8 in PEM, or one line `ed25519 <name> <base64>`";
    let mut lines = content.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or_else(|| format!("the file is empty; {FORM}"))?;
    if lines.next().is_some() {
        return Err(format!("more than one line; {FORM}"));
    }
    let mut words = line.split_ascii_whitespace();
    let (Some("ed25519"), Some(name), Some(secret), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(FORM.to_owned());
    };
    let secret = Zeroizing::new(BASE64.decode(secret).map_err(|_| "the third word is not base64".to_owned())?);
    let secret = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| format!("the secret has {} bytes, not 32", secret.len()))?;
    ServerKey::new(name, Zeroizing::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ed25519 a_1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";
    /// RFC 8410, section 10.3.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn both_forms_are_read() {
        let key = parse(LINE).expect("a line");
        assert_eq!(key.id(), "ed25519:a_1");
        assert_eq!(key.public_base64(), "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI");
        assert_eq!(parse(&format!("\n{LINE}=\n")).expect("padding").public(), key.public());
        let key = parse(PEM).expect("PEM");
        assert_eq!(key.id(), "ed25519:a_19bf4409");
        assert_eq!(key.public_base64(), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_the_secret() {
        for content in [
            "",
            "ed25519 a_1",
            "rsa a_1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1",
            "ed25519 a_1 YJDBA9Xnr2sVqXD9",
            "ed25519 a_1 !!!!A9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1",
            "ed25519 a:1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1",
            &format!("{LINE}\n{LINE}"),
            "-----BEGIN PRIVATE KEY-----\nYJDBA9Xnr2sVqXD9\n-----END PRIVATE KEY-----",
        ] {
            let problem = parse(content).expect_err(content);
            assert!(!problem.is_empty() && !problem.contains("Xnr2sVqXD9"), "{problem}");
        }
    }
}
