//! The authorities that an HTTPS client trusts: the system's, or those of a file instead.

use std::path::{Path, PathBuf};

use reqwest::ClientBuilder;

/// The authorities' file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("cannot read the certificates of the authorities in {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds no certificate.
    #[error("{path} holds no certificate in PEM form")]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, unless it is empty.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// This program was built without TLS.
    #[error("this program was built without TLS (feature `tls`)")]
    Absent,
}

/// Makes the client trust only the authorities of a PEM file. Without a file it is unchanged.
pub fn trusting(builder: ClientBuilder, ca_file: Option<&Path>) -> Result<ClientBuilder, TlsError> {
    let Some(path) = ca_file else {
        return Ok(builder);
    };
    let pem = std::fs::read(path).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    only(builder, path, &pem)
}

#[cfg(feature = "tls")]
fn only(builder: ClientBuilder, path: &Path, pem: &[u8]) -> Result<ClientBuilder, TlsError> {
    let none = |source| TlsError::NoCertificate {
        path: path.to_owned(),
        source,
    };
    let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| none(Some(error)))?;
    if certificates.is_empty() {
        return Err(none(None));
    }
    Ok(builder.tls_certs_only(certificates))
}

#[cfg(not(feature = "tls"))]
fn only(_: ClientBuilder, _: &Path, _: &[u8]) -> Result<ClientBuilder, TlsError> {
    Err(TlsError::Absent)
}
