//! Whom peers' certificates are checked against, in the handshake and later on live connections.

use super::credential::{pem_labels, read_file};
use super::crl::{CrlCheck, Lists};
use super::crl_index::Status;
use super::error::{SetupError, VerifyFailure, verify_reason};
use super::ffi;
use super::peer::{self, PeerChain};
use super::revocation::Side;
use super::settings::Settings;
use super::verified::{self, Verified};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::ssl::SslContextBuilder;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{
    X509, X509Name, X509PurposeId, X509Ref, X509StoreContext, X509StoreContextRef,
};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Certificates of a CA bundle. Blocks of other kinds are skipped (COMPAT).
pub struct Bundle(Vec<X509>);

impl Bundle {
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

    pub fn certificates(&self) -> &[X509] {
        &self.0
    }
}

/// CAs and CRLs of one generation of a listener that verifies its clients.
pub struct Trust {
    /// No other one of this process has it.
    id: u64,
    bundle: Option<Bundle>,
    lists: Lists,
    store: X509Store,
    verified: Verified,
    /// What is looked up in `lists` here; `None`: nothing.
    check: Option<CrlCheck>,
    /// A CRL that is missing or out of date refuses nobody.
    soft: bool,
    /// A certificate that ran out refuses nobody who is already connected.
    keep_expired: bool,
}

/// OpenSSL's result for the end or beginning of validity, and for what CRLs lack
/// (x509_vfy.h).
mod code {
    pub const NO_CRL: i32 = 3;
    pub const CRL_NOT_YET_VALID: i32 = 11;
    pub const CRL_EXPIRED: i32 = 12;
    pub const REVOKED: i32 = 23;
    pub const NO_CRL_ISSUER: i32 = 33;
    pub const OTHER_SCOPE: i32 = 44;
}

impl Trust {
    /// For the certificates of clients.
    pub fn load(settings: &Settings) -> Result<Self, SetupError> {
        Self::load_for(settings, Side::Client)
    }

    pub(super) fn load_for(settings: &Settings, side: Side) -> Result<Self, SetupError> {
        let bundle = settings.ca_file.as_deref().map(Bundle::load).transpose()?;
        let trusted = bundle.as_ref().map_or(&[][..], Bundle::certificates);
        let lists = Lists::load(&settings.crl_files, settings.crl_dir.as_deref(), trusted)?;
        let wants_lists = !settings.crl_files.is_empty() || settings.crl_dir.is_some();
        let check = wants_lists.then_some(settings.crl_check);
        let by_openssl = check.filter(|_| !lists.for_openssl().is_empty());
        let store = store(bundle.as_ref(), &lists, by_openssl, side)?;
        let (soft, keep_expired) = (settings.crl_soft, !settings.close_expired);
        let verified = Verified::default();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, bundle, lists, store, verified, check, soft, keep_expired })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref()
    }

    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Are certificates looked up in lists?
    pub fn checks_lists(&self) -> bool {
        self.check.is_some()
    }

    /// Does a list that is missing or out of date refuse nobody?
    pub fn is_soft(&self) -> bool {
        self.soft
    }

    /// Makes this the trust of a context, and names the CAs to clients.
    pub fn apply(&self, builder: &mut SslContextBuilder) -> Result<(), SetupError> {
        let failed = |step| move |source| SetupError::Library { step, source };
        if let Some(bundle) = &self.bundle {
            let mut names = Stack::<X509Name>::new().map_err(failed("a list of CA names"))?;
            for certificate in bundle.certificates() {
                let name = certificate.subject_name().to_owned();
                names.push(name.map_err(failed("a CA name"))?).map_err(failed("a CA name"))?;
            }
            builder.set_client_ca_list(names);
        }
        // One store for all contexts: CRLs may be large. It brings its flags along.
        ffi::share_store(builder, &self.store);
        Ok(())
    }

    /// The verdict on the chain a client sent: remembered, or OpenSSL's with [`Trust::accepts`].
    pub fn verify(&self, context: &mut X509StoreContextRef) -> bool {
        let now = peer::now_seconds();
        let key = ffi::sent_chain(context).and_then(|chain| verified::key(chain).ok());
        if key.as_ref().is_some_and(|key| self.verified.holds(key, now)) {
            context.set_error(openssl::x509::X509VerifyResult::OK);
            return true;
        }
        let good = context.verify_cert().unwrap_or(false);
        if let (true, Some(key), Some(ends)) = (good, key, self.ends(context)) {
            self.verified.remember(key, now, ends);
        }
        good
    }

    /// The nearest date that bears on the chain just verified, in seconds since 1970.
    fn ends(&self, context: &X509StoreContextRef) -> Option<i64> {
        let mut ends = self.lists.next_update().unwrap_or(i64::MAX);
        for certificate in context.chain()? {
            ends = ends.min(peer::unix_seconds(certificate.not_after())?);
        }
        Some(ends)
    }

    /// The verdict on one certificate of a chain: OpenSSL's, but for what is excused.
    pub fn accepts(&self, good: bool, context: &mut X509StoreContextRef) -> bool {
        self.accepts_at(good, context, Some(peer::now_seconds()))
    }

    /// `now`: seconds since 1970; `None`: dates do not matter.
    fn accepts_at(&self, good: bool, context: &mut X509StoreContextRef, now: Option<i64>) -> bool {
        if good {
            let Some(code) = self.revocation(context, now) else { return true };
            context.set_error(ffi::verify_result(code));
        }
        let unknown = matches!(
            context.error().as_raw(),
            code::NO_CRL
                | code::CRL_NOT_YET_VALID
                | code::CRL_EXPIRED
                | code::NO_CRL_ISSUER
                | code::OTHER_SCOPE
        );
        let last = context.chain().map_or(0, |chain| chain.len());
        // RFC 5280 section 6.1: nobody revokes an anchor.
        let anchor = usize::try_from(context.error_depth()).is_ok_and(|depth| depth + 1 >= last);
        unknown && (self.soft || anchor)
    }

    /// What the lists have against the certificate OpenSSL has just found good, as OpenSSL's code.
    fn revocation(&self, context: &X509StoreContextRef, now: Option<i64>) -> Option<i32> {
        let check = self.check?;
        let depth = usize::try_from(context.error_depth()).ok()?;
        if depth > 0 && check == CrlCheck::Leaf {
            return None;
        }
        let chain = context.chain()?;
        // The last one is the anchor.
        let (certificate, issuer) = (chain.get(depth)?, chain.get(depth + 1)?);
        match self.lists.status(certificate, issuer, now) {
            Status::Good => None,
            Status::Revoked => Some(code::REVOKED),
            Status::Unknown => Some(code::NO_CRL),
            Status::Early => Some(code::CRL_NOT_YET_VALID),
            Status::Stale => Some(code::CRL_EXPIRED),
        }
    }

    /// Do the lists name the peer's own certificate, whatever is the date?
    fn revokes_leaf(&self, context: &X509StoreContextRef) -> bool {
        let chain = context.chain().filter(|_| self.check.is_some());
        let pair = chain.and_then(|chain| Some((chain.get(0)?, chain.get(1)?)));
        pair.is_some_and(|(leaf, issuer)| self.lists.status(leaf, issuer, None) == Status::Revoked)
    }

    /// Why the certificate was refused, and the result whose alert the peer gets.
    pub fn explain(&self, context: &X509StoreContextRef) -> (VerifyFailure, i32) {
        let code = context.error().as_raw();
        // COMPAT: Go looks at the dates of the client's own certificate before anything else. It is
        // refused either way; only the reason changes. Revocation, of which Go knows nothing, is the
        // graver one.
        let leaf = context.chain().and_then(|chain| chain.get(0)).filter(|_| code != code::REVOKED);
        let (code, certificate) = match leaf.and_then(|leaf| Some((out_of_date(leaf)?, leaf))) {
            Some((_, leaf)) if self.revokes_leaf(context) => (code::REVOKED, Some(leaf)),
            Some((code, leaf)) => (code, Some(leaf)),
            None => (code, context.current_cert()),
        };
        let time = |at: Option<&Asn1TimeRef>| {
            at.and_then(peer::rfc3339).unwrap_or_else(|| "unknown".to_owned())
        };
        let (mut reason, result) = verify_reason(
            code,
            &peer::now_rfc3339(),
            &time(certificate.map(|c| c.not_before())),
            &time(certificate.map(|c| c.not_after())),
        );
        if code == code::REVOKED
            && let Some(entry) = certificate.and_then(|c| self.lists.describe(c))
        {
            reason.push_str(&format!(" ({entry})"));
        }
        let certificate =
            certificate.and_then(|c| Some((peer::subject_text(c), peer::certificate_sha256(c)?)));
        (VerifyFailure { reason, certificate }, result)
    }

    /// Would a peer that showed this chain in its handshake be accepted today?
    pub fn recheck(&self, chain: &PeerChain) -> Result<(), VerifyFailure> {
        self.verified_chain(chain, self.keep_expired).map(drop)
    }

    /// The chain from the peer's certificate to the anchor as it is verified today. `timeless`: no
    /// date matters, of certificates or CRLs.
    pub(super) fn verified_chain(
        &self,
        chain: &PeerChain,
        timeless: bool,
    ) -> Result<Vec<X509>, VerifyFailure> {
        let broken = |error: ErrorStack| VerifyFailure {
            reason: format!("x509: {}", super::error::stack(&error)),
            certificate: None,
        };
        let certificates = chain.certificates().map_err(broken)?;
        let Some((leaf, rest)) = certificates.split_first() else { return Ok(Vec::new()) };
        let mut others = Stack::new().map_err(broken)?;
        for certificate in rest {
            others.push(certificate.clone()).map_err(broken)?;
        }
        let mut context = X509StoreContext::new().map_err(broken)?;
        let verdict = context.init(&self.store, leaf, &others, |context| {
            if timeless {
                ffi::ignore_time(context);
            }
            let mut failure = None;
            let now = (!timeless).then(peer::now_seconds);
            let good = ffi::verify_chain(context, &mut |good, context| {
                let accepted = self.accepts_at(good, context, now);
                if !accepted {
                    failure.get_or_insert_with(|| self.explain(context).0);
                }
                accepted
            });
            let verified = context.chain().filter(|_| good);
            let verified = verified.map(|chain| chain.iter().map(|c| c.to_owned()).collect());
            Ok(verified.ok_or(failure))
        });
        // What was excused on the way is no error of this thread's next operation.
        drop(ErrorStack::get());
        verdict.map_err(broken)?.map_err(|failure| {
            failure.unwrap_or_else(|| VerifyFailure {
                reason: "x509: the certificate cannot be verified".to_owned(),
                certificate: None,
            })
        })
    }
}

fn store(
    bundle: Option<&Bundle>,
    lists: &Lists,
    check: Option<CrlCheck>,
    side: Side,
) -> Result<X509Store, SetupError> {
    let failed = |step| move |source| SetupError::Library { step, source };
    let mut store = X509StoreBuilder::new().map_err(failed("a trust store"))?;
    match bundle {
        Some(bundle) => {
            for certificate in bundle.certificates() {
                store.add_cert(certificate.clone()).map_err(failed("a CA certificate"))?;
            }
        }
        None => system_roots(&mut store)?,
    }
    for list in lists.for_openssl() {
        ffi::add_crl(&mut store, list).map_err(failed("a CRL"))?;
    }
    // COMPAT: every certificate of the bundle is an anchor, an intermediate or the leaf
    // itself included, as in Go.
    let mut flags = X509VerifyFlags::PARTIAL_CHAIN;
    let crl = X509VerifyFlags::CRL_CHECK
        | X509VerifyFlags::EXTENDED_CRL_SUPPORT
        | X509VerifyFlags::USE_DELTAS;
    match check {
        None => {}
        Some(CrlCheck::Leaf) => flags |= crl,
        Some(CrlCheck::Chain) => flags |= crl | X509VerifyFlags::CRL_CHECK_ALL,
    }
    store.set_flags(flags).map_err(failed("the flags of a trust store"))?;
    let purpose = match side {
        Side::Client => X509PurposeId::SSL_CLIENT,
        Side::Server => X509PurposeId::SSL_SERVER,
    };
    store.set_purpose(purpose).map_err(failed("the purpose of a trust store"))?;
    Ok(store.build())
}

/// The system's trust store. A vendored library looks for it where nobody put it, so the usual
/// places are tried.
pub(super) fn system_roots(store: &mut X509StoreBuilder) -> Result<(), SetupError> {
    store
        .set_default_paths()
        .map_err(|source| SetupError::Library { step: "the system's roots", source })?;
    if cfg!(feature = "vendored") && std::env::var_os("SSL_CERT_FILE").is_none() {
        let places = [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
        ];
        if let Some(place) = places.iter().find(|place| Path::new(place).exists()) {
            for certificate in Bundle::load(Path::new(place))?.certificates() {
                store
                    .add_cert(certificate.clone())
                    .map_err(|source| SetupError::Library { step: "the system's roots", source })?;
            }
        }
    }
    Ok(())
}

/// OpenSSL's code for a certificate that is past its end or before its beginning.
fn out_of_date(certificate: &X509Ref) -> Option<i32> {
    let now = Asn1Time::days_from_now(0).ok()?;
    if certificate.not_before() > now {
        Some(openssl_sys::X509_V_ERR_CERT_NOT_YET_VALID)
    } else if certificate.not_after() < now {
        Some(openssl_sys::X509_V_ERR_CERT_HAS_EXPIRED)
    } else {
        None
    }
}
