//! Whom peers' certificates are checked against.

use super::credential::{pem_labels, read_file};
use super::error::SetupError;
use openssl::ssl::SslContextBuilder;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Name};
use std::path::Path;

/// Certificates of a CA bundle. Blocks of other kinds are skipped (COMPAT).
pub struct Bundle(Vec<X509>);

impl Bundle {
    pub fn certificates(&self) -> &[X509] {
        &self.0
    }

    pub fn load(path: &Path) -> Result<Self, SetupError> {
        let text =
            read_file(path).map_err(|source| SetupError::File { path: path.into(), source })?;
        if !pem_labels(&text).iter().any(|label| label == "CERTIFICATE") {
            return Err(SetupError::NoCa);
        }
        match X509::stack_from_pem(&text) {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            _ => Err(SetupError::NoCa),
        }
    }
}

/// Makes `bundle`, or the system's roots, the trust of a context, and names the CAs to clients.
pub fn apply(builder: &mut SslContextBuilder, bundle: Option<&Bundle>) -> Result<(), SetupError> {
    let failed = |step| move |source| SetupError::Library { step, source };
    match bundle {
        Some(Bundle(certificates)) => {
            let mut store = X509StoreBuilder::new().map_err(failed("a trust store"))?;
            let mut names = Stack::<X509Name>::new().map_err(failed("a list of CA names"))?;
            for certificate in certificates {
                store.add_cert(certificate.clone()).map_err(failed("a CA certificate"))?;
                let name = certificate.subject_name().to_owned();
                names.push(name.map_err(failed("a CA name"))?).map_err(failed("a CA name"))?;
            }
            builder.set_cert_store(store.build());
            builder.set_client_ca_list(names);
        }
        None => system_roots(builder)?,
    }
    // POLICY/COMPAT: every certificate of the bundle is an anchor, an intermediate or the leaf
    // itself included, as in Go. RFC 5280 section 6.1.1 leaves the choice of anchors open.
    builder
        .verify_param_mut()
        .set_flags(X509VerifyFlags::PARTIAL_CHAIN)
        .map_err(failed("partial chains"))
}

/// The system's trust store. A vendored library looks for it where nobody put it, so the usual
/// places are tried.
fn system_roots(builder: &mut SslContextBuilder) -> Result<(), SetupError> {
    builder
        .set_default_verify_paths()
        .map_err(|source| SetupError::Library { step: "the system's roots", source })?;
    if cfg!(feature = "vendored") && std::env::var_os("SSL_CERT_FILE").is_none() {
        let places = [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
        ];
        if let Some(place) = places.iter().find(|place| Path::new(place).exists()) {
            builder
                .set_ca_file(place)
                .map_err(|source| SetupError::Library { step: "the system's roots", source })?;
        }
    }
    Ok(())
}
