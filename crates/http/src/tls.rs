//! Certificates of a listener: several by name, loaded again when their files change.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A certificate and its key, both PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// PEM file with the certificate chain, the server's own first. Read again when it changes.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// Host names it is shown for (exact, lower case). Empty: it is shown where no other fits; the first certificate is that anyway.
    #[serde(default)]
    pub names: Vec<String>,
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// None was given.
    #[error("TLS is on and no certificate is configured")]
    NoCertificate,
    /// A file cannot be read or is no PEM of the right kind.
    #[error("cannot read the TLS {what} {}: {reason}", path.display())]
    File {
        /// Which of the two.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key cannot be used with the certificate.
    #[error("the TLS key {} cannot be used with the certificate {}: {source}", key.display(), certificate.display())]
    Key {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// The loaded certificates of a listener.
#[derive(Clone, Debug)]
pub struct Certificates {
    files: Arc<[CertificateConfig]>,
    current: Arc<Current>,
    modified: Vec<Option<SystemTime>>,
}

/// What the handshake sees.
struct Current(ArcSwap<Loaded>);

struct Loaded {
    by_name: BTreeMap<String, Arc<CertifiedKey>>,
    otherwise: Arc<CertifiedKey>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.0.load();
        f.debug_struct("Certificates").field("names", &loaded.by_name.keys()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.0.load();
        let named = hello.server_name().and_then(|name| loaded.by_name.get(&name.to_ascii_lowercase()));
        Some(named.unwrap_or(&loaded.otherwise).clone())
    }
}

impl Certificates {
    /// Reads every file.
    ///
    /// # Errors
    /// Which file is missing or wrong, and how.
    pub fn load(files: &[CertificateConfig]) -> Result<Self, TlsError> {
        let modified = modification_times(files);
        let current = Arc::new(Current(ArcSwap::from_pointee(read_all(files)?)));
        Ok(Self { files: files.into(), current, modified })
    }

    /// Reads the files again if one of them is not what it was. An unusable one leaves all as it is: the next change tries again.
    /// Blocks on the file system.
    ///
    /// # Errors
    /// As [`Certificates::load`].
    pub fn reload_if_changed(&mut self) -> Result<bool, TlsError> {
        let modified = modification_times(&self.files);
        if modified == self.modified {
            return Ok(false);
        }
        self.modified = modified;
        self.current.0.store(Arc::new(read_all(&self.files)?));
        Ok(true)
    }

    /// TLS 1.2 and 1.3 with these certificates, HTTP/2 and HTTP/1.1 by ALPN.
    ///
    /// # Errors
    /// [`TlsError::Setup`].
    pub fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Setup)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn read_all(files: &[CertificateConfig]) -> Result<Loaded, TlsError> {
    let mut by_name = BTreeMap::new();
    let mut otherwise = None;
    for file in files {
        let key = Arc::new(read(file)?);
        otherwise.get_or_insert_with(|| key.clone());
        by_name.extend(file.names.iter().map(|name| (name.to_ascii_lowercase(), key.clone())));
    }
    Ok(Loaded { by_name, otherwise: otherwise.ok_or(TlsError::NoCertificate)? })
}

fn read(file: &CertificateConfig) -> Result<CertifiedKey, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&file.certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| file_error("certificate", &file.certificate, &error))?;
    if chain.is_empty() {
        let reason = "it holds no certificate".to_owned();
        return Err(TlsError::File { what: "certificate", path: file.certificate.clone(), reason });
    }
    let key = PrivateKeyDer::from_pem_file(&file.key).map_err(|error| file_error("key", &file.key, &error))?;
    let unusable = |source| TlsError::Key { certificate: file.certificate.clone(), key: file.key.clone(), source };
    let certified = CertifiedKey::new(chain, ring::sign::any_supported_type(&key).map_err(unusable)?);
    match certified.keys_match() {
        // Unknown: the kind of key does not tell, and the handshake will.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(error) => Err(unusable(error)),
    }
}

fn file_error(what: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    let reason = match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => "there is no such file".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("it holds no {what} in PEM form"),
        other => other.to_string(),
    };
    TlsError::File { what, path: path.to_owned(), reason }
}

fn modification_times(files: &[CertificateConfig]) -> Vec<Option<SystemTime>> {
    let paths = files.iter().flat_map(|file| [&file.certificate, &file.key]);
    paths.map(|path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()).collect()
}
