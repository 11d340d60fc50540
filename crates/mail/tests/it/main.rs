//! Mails to a mail server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{net::TcpListener, path::Path, sync::Arc};

use banyan_core::{ErrorCode, ManualClock, SeededEntropy, ServiceError, TimestampMicros};
use banyan_mail::{Mail, Outbox, SetupError};
use banyan_tenants::{
    ServerKey, Tenant, TenantConfig, Tenants,
    config::{EmailConfig, SmtpTls},
};
use banyan_testkit::smtp::{MailServer, Manner};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

const MAIL: Mail<'static> = Mail::Reset { link: "https://one.test/?sid=a&token=b", minutes: 60 };

fn config(port: u16, tls: SmtpTls) -> EmailConfig {
    EmailConfig {
        from: "One — Tést <no-reply@one.test>".to_owned(),
        host: "localhost".to_owned(),
        port: Some(port),
        tls,
        ca_file: None,
        username: None,
        password_file: None,
        timeout_ms: 5_000,
        link_seconds: 3_600,
        allowed_domains: Vec::new(),
        next_link_hosts: Vec::new(),
        reveal_accounts: false,
    }
}

fn outbox(email: EmailConfig) -> Result<Outbox, SetupError> {
    let entropy = Arc::new(SeededEntropy::new(1));
    let tenant =
        TenantConfig { email: Some(email), base_url: Some("https://one.test".to_owned()), ..TenantConfig::new("one.test") };
    let tenant = Tenant::new(tenant, ServerKey::generate(&*entropy)).unwrap();
    let clock = Arc::new(ManualClock::new(TimestampMicros(1_700_000_000_000_000)));
    Outbox::new(&Tenants::new(vec![tenant]).unwrap(), clock, entropy)
}

async fn send(email: EmailConfig) -> Result<(), ServiceError> {
    outbox(email).unwrap().send("one.test", "bob@example.org".parse().unwrap(), MAIL).await
}

/// A certificate for localhost, its file, and who shows it.
fn certificate(dir: &Path) -> (std::path::PathBuf, TlsAcceptor) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = dir.join("ca.pem");
    std::fs::write(&file, cert.pem()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(cert.pem().as_bytes()).unwrap()];
    let builder = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let config = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    (file, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn a_mail_arrives_as_text_and_html() {
    let server = MailServer::start(Manner::Kind, None, false).await.unwrap();
    send(config(server.address().port(), SmtpTls::None)).await.unwrap();
    let mail = server.mail(0).await;
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("no-reply@one.test", &["bob@example.org".to_owned()][..]));
    for header in [
        "Subject: A new password on one.test\n",
        "To: bob@example.org\n",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\n",
        "Auto-Submitted: auto-generated\n",
    ] {
        assert!(mail.data.contains(header), "{header}{}", mail.data);
    }
    assert!(mail.data.contains("From: =?utf-8?"), "{}", mail.data);
    let parts = mail.parts();
    assert!(parts[0].contains("\nhttps://one.test/?sid=a&token=b\n"), "{}", parts[0]);
    assert!(parts[1].contains("<a href=\"https://one.test/?sid=a&amp;token=b\">"), "{}", parts[1]);
}

#[tokio::test]
async fn tls_is_checked_and_passwords_go_through_it() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, acceptor) = certificate(dir.path());
    let password = dir.path().join("password");
    std::fs::write(&password, "open sesame\n").unwrap();
    for (tls, starttls) in [(SmtpTls::Implicit, false), (SmtpTls::Starttls, true)] {
        let server = MailServer::start(Manner::Kind, Some(acceptor.clone()), starttls).await.unwrap();
        let known = EmailConfig {
            ca_file: Some(ca.clone()),
            username: Some("ali".to_owned()),
            password_file: Some(password.clone()),
            ..config(server.address().port(), tls)
        };
        send(known.clone()).await.unwrap();
        // base64 of NUL ali NUL open sesame.
        assert_eq!(server.mail(0).await.login.as_deref(), Some("AGFsaQBvcGVuIHNlc2FtZQ=="));
        // A certificate that nobody vouches for, and a server without TLS, get neither mail nor password.
        let unknown = EmailConfig { ca_file: None, ..known.clone() };
        assert_eq!(send(unknown).await.unwrap_err().code, ErrorCode::Unavailable);
        let plain = MailServer::start(Manner::Kind, None, false).await.unwrap();
        let fooled = EmailConfig { port: Some(plain.address().port()), timeout_ms: 500, ..known };
        assert_eq!(send(fooled).await.unwrap_err().code, ErrorCode::Unavailable);
        assert!(plain.mails().is_empty());
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn servers_that_are_away_or_silent_or_refuse_are_an_error() {
    let silent = MailServer::start(Manner::Silent, None, false).await.unwrap();
    let late = EmailConfig { timeout_ms: 100, ..config(silent.address().port(), SmtpTls::None) };
    let error = send(late).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);

    let refusing = MailServer::start(Manner::Refusing, None, false).await.unwrap();
    let error = send(config(refusing.address().port(), SmtpTls::None)).await.unwrap_err();
    assert!(error.message.contains("550"), "{error}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(send(config(free, SmtpTls::None)).await.unwrap_err().code, ErrorCode::Unavailable);
}

#[test]
fn what_cannot_work_is_said_at_start() {
    let error = outbox(EmailConfig { from: "nobody".to_owned(), ..config(25, SmtpTls::None) }).unwrap_err().to_string();
    assert!(error.contains("tenant one.test: email.from"), "{error}");
    let missing = EmailConfig { ca_file: Some("/nowhere".into()), ..config(25, SmtpTls::Starttls) };
    assert!(outbox(missing).unwrap_err().to_string().contains("email.ca_file: cannot read /nowhere"));
}
