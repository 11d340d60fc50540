//! Self-signed certificates for TLS listeners under test.

/// A certificate and its key, PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// A certificate for `names` that signs itself.
///
/// # Panics
///
/// If a name is no DNS name.
#[must_use]
pub fn self_signed(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("valid names");
    Certificate { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
}
