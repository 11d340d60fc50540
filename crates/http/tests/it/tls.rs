use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{Router, routing::get};
use banyan_http::{CertificateConfig, ListenConfig, Listener, TlsError, tls::Certificates};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio_util::sync::CancellationToken;

/// Writes a certificate for `name` and returns its files and PEM text.
fn certificate(dir: &Path, name: &str) -> (CertificateConfig, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    fs::write(&certificate, cert.pem()).unwrap();
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    (CertificateConfig { certificate, key, names: vec![name.to_owned()] }, cert.pem())
}

async fn fetch(address: SocketAddr, name: &str, root: &str) -> Result<(String, http::Version), reqwest::Error> {
    let provider = rustls::crypto::ring::default_provider();
    let mut roots = rustls::RootCertStore::empty();
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(root.as_bytes()).unwrap();
    roots.add(der).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(config).resolve(name, address).build().unwrap();
    let response = client.get(format!("https://{name}:{}/", address.port())).send().await?;
    let version = response.version();
    Ok((response.text().await?, version))
}

#[tokio::test]
async fn the_certificate_is_picked_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (first, first_pem) = certificate(dir.path(), "first.example");
    let (second, second_pem) = certificate(dir.path(), "second.example");
    let config = ListenConfig { tls: vec![first, second], ..ListenConfig::plain(SocketAddr::from(([127, 0, 0, 1], 0))) };
    let listener = Listener::bind(&config).await.unwrap();
    assert!(listener.is_tls());
    let (address, stop) = (listener.local_addr(), CancellationToken::new());
    let server =
        tokio::spawn(listener.serve(Router::new().route("/", get(|| async { "hello" })), stop.clone(), Duration::from_secs(5)));
    for (name, root) in [("first.example", &first_pem), ("second.example", &second_pem)] {
        let (text, version) = fetch(address, name, root).await.unwrap();
        assert_eq!((text.as_str(), version), ("hello", http::Version::HTTP_2));
    }
    assert!(fetch(address, "second.example", &first_pem).await.is_err());
    stop.cancel();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn changed_files_are_loaded_again_and_broken_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (config, _) = certificate(dir.path(), "a.example");
    let mut certificates = Certificates::load(std::slice::from_ref(&config)).unwrap();
    assert!(!certificates.reload_if_changed().unwrap());

    let touch = |path: &PathBuf, seconds| {
        let later = fs::metadata(path).unwrap().modified().unwrap() + Duration::from_secs(seconds);
        fs::File::options().append(true).open(path).unwrap().set_modified(later).unwrap();
    };
    fs::write(&config.certificate, "nonsense").unwrap();
    touch(&config.certificate, 10);
    assert!(certificates.reload_if_changed().is_err());
    certificate(dir.path(), "a.example");
    touch(&config.certificate, 20);
    assert!(certificates.reload_if_changed().unwrap());
}

#[test]
fn unusable_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (good, _) = certificate(dir.path(), "a.example");
    let missing = CertificateConfig { certificate: dir.path().join("none.crt"), ..good.clone() };
    let message = Certificates::load(&[missing]).unwrap_err().to_string();
    assert!(message.contains("none.crt") && message.contains("no such file"), "{message}");

    let empty = dir.path().join("empty.key");
    fs::write(&empty, "").unwrap();
    let message = Certificates::load(&[CertificateConfig { key: empty, ..good.clone() }]).unwrap_err().to_string();
    assert!(message.contains("empty.key") && message.contains("PEM"), "{message}");

    let foreign = dir.path().join("foreign.key");
    fs::write(&foreign, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = Certificates::load(&[CertificateConfig { key: foreign, ..good }]).unwrap_err();
    assert!(matches!(error, TlsError::Key { .. }), "{error}");
    assert!(matches!(Certificates::load(&[]).unwrap_err(), TlsError::NoCertificate));
}
