use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, routing::get};
use banyan_http::{CertificateConfig, ListenConfig, Listener, TlsError, tls::Certificates};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// Writes a certificate for `name` and returns its files and PEM text.
fn certificate(dir: &Path, name: &str) -> (CertificateConfig, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    fs::write(&certificate, cert.pem()).unwrap();
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    (CertificateConfig { certificate, key, names: vec![name.to_owned()] }, cert.pem())
}

/// Connects as a client that trusts `root` and offers `protocol`; answers what was agreed on and, for HTTP/1.1, the whole answer.
async fn fetch(address: SocketAddr, name: &str, root: &str, protocol: &[u8]) -> io::Result<(Vec<u8>, String)> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let mut config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await?;
    let server_name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(server_name, stream).await?;
    let agreed = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
    let mut text = String::new();
    if protocol == b"http/1.1" {
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
        stream.read_to_string(&mut text).await?;
    }
    Ok((agreed, text))
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
        let (agreed, text) = fetch(address, name, root, b"http/1.1").await.unwrap();
        assert!(agreed == b"http/1.1" && text.starts_with("HTTP/1.1 200") && text.ends_with("hello"), "{text}");
        assert_eq!(fetch(address, name, root, b"h2").await.unwrap().0, b"h2");
    }
    assert!(fetch(address, "second.example", &first_pem, b"h2").await.is_err());
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
