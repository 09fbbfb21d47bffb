//! Client TLS contexts. Each offers exactly one version, suite and group, so a handshake that succeeds used them.

use std::sync::{Arc, Mutex};

use openssl::ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslMode, SslSession};
use openssl::ssl::{SslSessionCacheMode, SslVerifyMode, SslVersion};

use crate::Failure;
use crate::pki::{KeyType, Pki, Role};
use crate::work::{Group, Resume, Version};

pub struct Settings {
    pub version: Version,
    pub group: Group,
    pub key: KeyType,
    /// What the client presents.
    pub certificate: Option<Role>,
    pub check: Check,
    pub resume: Resume,
}

/// Whether the client verifies the server's chain and name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Full,
    /// Saves the client the work where thousands of handshakes are timed.
    Skip,
}

pub struct Tls {
    context: SslContext,
    /// The newest ticket, if they are wanted.
    session: Option<Arc<Mutex<Option<SslSession>>>>,
}

impl Tls {
    pub fn new(settings: &Settings, pki: &Pki) -> Result<Self, Failure> {
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        let version = match settings.version {
            Version::Tls12 => SslVersion::TLS1_2,
            Version::Tls13 => SslVersion::TLS1_3,
        };
        builder.set_min_proto_version(Some(version))?;
        builder.set_max_proto_version(Some(version))?;
        builder.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
        builder.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")?;
        builder.set_groups_list(match settings.group {
            Group::X25519 => "X25519",
            Group::P256 => "P-256",
        })?;
        builder.set_mode(
            SslMode::ENABLE_PARTIAL_WRITE
                | SslMode::ACCEPT_MOVING_WRITE_BUFFER
                | SslMode::AUTO_RETRY
                // Clients in Go and Rust show what their file holds; OpenSSL would add the CA.
                | SslMode::NO_AUTO_CHAIN,
        );
        builder.set_ca_file(pki.certificate(settings.key, Role::Authority))?;
        builder.set_verify(match settings.check {
            Check::Full => SslVerifyMode::PEER,
            Check::Skip => SslVerifyMode::NONE,
        });
        if let Some(role) = settings.certificate {
            builder.set_certificate_chain_file(pki.certificate(settings.key, role))?;
            builder.set_private_key_file(pki.key(settings.key, role), SslFiletype::PEM)?;
        }
        let session = (settings.resume == Resume::Always).then(Arc::<Mutex<_>>::default);
        if let Some(newest) = session.clone() {
            builder.set_session_cache_mode(
                SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL,
            );
            builder.set_new_session_callback(move |_, session| {
                if let Ok(mut newest) = newest.lock() {
                    *newest = Some(session);
                }
            });
        }
        Ok(Self { context: builder.build(), session })
    }

    pub fn resumes(&self) -> bool {
        self.session.is_some()
    }

    /// A client about to connect to `localhost`, with a ticket if there is one and it is wanted.
    pub fn ssl(&self) -> Result<Ssl, Failure> {
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_hostname("localhost")?;
        ssl.param_mut().set_host("localhost")?;
        if let Some(newest) = &self.session
            && let Ok(newest) = newest.lock()
            && let Some(session) = newest.as_ref()
        {
            offer(&mut ssl, session)?;
        }
        Ok(ssl)
    }
}

#[allow(unsafe_code)]
fn offer(ssl: &mut Ssl, session: &SslSession) -> Result<(), Failure> {
    // SAFETY: SSL_set_session(3) wants a session of the same SSL_CTX; this one came from the callback of the context
    // that made `ssl`.
    unsafe { ssl.set_session(session) }?;
    Ok(())
}
