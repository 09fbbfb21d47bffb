//! The only builder of a server's SSL_CTX. Every option is set here; no default is relied upon.

use super::credential::Credential;
use super::error::{SetupError, VerifyFailure};
use super::ffi;
use super::fips::Level;
use super::names::Version;
use super::peer::PeerCertificate;
use super::policy::Policy;
use super::provider;
use super::staple::Slot;
use super::stream;
use super::trust::Trust;
use super::verdict::Verdict;
use crate::limits::TLS_READ_AHEAD;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    SniError, Ssl, SslAlert, SslContext, SslContextBuilder, SslMode, SslOptions, SslRef,
    SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::{X509StoreContext, X509StoreContextRef};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Where the verify callback leaves its finding.
pub type Finding = Mutex<Option<Refused>>;

/// A certificate that was refused.
pub struct Refused {
    pub failure: VerifyFailure,
    /// The peer's own, which need not be the refused one. That it has the key is not proven.
    pub leaf: Option<PeerCertificate>,
    pub revocation: Option<Verdict>,
}

pub fn finding_index() -> Index<Ssl, Finding> {
    static INDEX: OnceLock<Index<Ssl, Finding>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL has room for another ex_data index"))
}

/// Everything of a context but its certificate.
pub struct Plan<'a> {
    pub policy: &'a Policy,
    /// Require client certificates and verify them against this.
    pub trust: Option<&'a Arc<Trust>>,
    /// Let clients in that show none.
    pub optional: bool,
    pub level: Level,
    /// How long sessions may be resumed; `None`: not at all.
    pub session_timeout: Option<Duration>,
    /// Told apart from the contexts of other names by this, beside the keys of the tickets.
    pub number: u32,
    /// At least OpenSSL 3.5: groups may be tiered, so that a hybrid both know is always used.
    pub tiers: bool,
}

fn step<T>(step: &'static str, result: Result<T, ErrorStack>) -> Result<T, SetupError> {
    result.map_err(|source| SetupError::Library { step, source })
}

/// Builds a context that serves `credential` under `plan`.
pub fn build(
    plan: &Plan<'_>,
    credential: Option<(&Credential, &Arc<Slot>)>,
) -> Result<SslContext, SetupError> {
    let mut builder = step("a context", provider::new_context(plan.level))?;
    versions(&mut builder, plan.policy)?;
    algorithms(&mut builder, plan)?;
    // A system-wide configuration may have switched it on.
    builder.clear_options(SslOptions::ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    builder.set_options(
        SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::PRIORITIZE_CHACHA
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_COMPRESSION,
    );
    builder.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::RELEASE_BUFFERS
            | SslMode::AUTO_RETRY
            // COMPAT: what the file holds is what clients get. OpenSSL would look for more among the
            // CAs that clients are held against, and verify what it finds, in every handshake.
            | SslMode::NO_AUTO_CHAIN,
    );
    builder.set_read_ahead(true);
    resumption(&mut builder, plan)?;
    match credential {
        Some((credential, slot)) => {
            certificate(&mut builder, credential)?;
            staple(&mut builder, Arc::clone(slot))?;
        }
        // COMPAT: Go says unrecognized_name where it has no certificate at all.
        None => builder.set_servername_callback(|_, alert| {
            *alert = SslAlert::UNRECOGNIZED_NAME;
            Err(SniError::ALERT_FATAL)
        }),
    }
    if let Some(trust) = plan.trust {
        trust.apply(&mut builder)?;
        if plan.level == Level::Off {
            builder.set_ex_data(trust_index()?, Arc::clone(trust));
            ffi::set_chain_verifier(&mut builder);
        }
        let trust = Arc::clone(trust);
        let mut mode = SslVerifyMode::PEER;
        mode.set(SslVerifyMode::FAIL_IF_NO_PEER_CERT, !plan.optional);
        builder.set_verify_callback(mode, move |good, context| judge(&trust, good, context));
    } else {
        builder.set_verify(SslVerifyMode::NONE);
    }
    let context = builder.build();
    ffi::set_read_buffer_len(&context, TLS_READ_AHEAD);
    read_back(&context, plan.policy)?;
    Ok(context)
}

/// POLICY: SP 800-52r2 3.1. The system's policy may be stricter than the configuration and wins.
fn versions(builder: &mut SslContextBuilder, policy: &Policy) -> Result<(), SetupError> {
    let version = |version| match version {
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    };
    let system_wants_13 = builder.min_proto_version() == Some(SslVersion::TLS1_3);
    let min = if system_wants_13 { Version::Tls13 } else { policy.min_version };
    step("the lowest version", builder.set_min_proto_version(Some(version(min))))?;
    step("the highest version", builder.set_max_proto_version(Some(version(policy.max_version))))
}

fn algorithms(builder: &mut SslContextBuilder, plan: &Plan<'_>) -> Result<(), SetupError> {
    let join = |version| {
        let names: Vec<_> = plan.policy.suites_of(version).map(|suite| suite.openssl).collect();
        names.join(":")
    };
    let (tls12, tls13) = (join(Version::Tls12), join(Version::Tls13));
    if tls12.is_empty() && tls13.is_empty() {
        return Err(SetupError::NothingLeft { what: "cipher suite" });
    }
    step("the TLS 1.3 suites", builder.set_ciphersuites(&tls13))?;
    // An empty list is an error to OpenSSL; without TLS 1.2 suites the policy has no TLS 1.2.
    if !tls12.is_empty() {
        step("the TLS 1.2 suites", builder.set_cipher_list(&tls12))?;
    }
    let names = |hybrid| -> Vec<&str> {
        let groups = plan.policy.groups.iter().filter(|group| group.hybrid == hybrid);
        groups.map(|group| group.openssl).collect()
    };
    let (hybrids, classical) = (names(true), names(false));
    if hybrids.is_empty() && classical.is_empty() {
        return Err(SetupError::NothingLeft { what: "key exchange group" });
    }
    // COMPAT: Go asks a client again to reach a hybrid both know; OpenSSL does for a first tier.
    let tier = if plan.tiers && !hybrids.is_empty() && !classical.is_empty() { "/" } else { ":" };
    let lists = [hybrids.join(":"), classical.join(":")];
    let lists: Vec<_> = lists.into_iter().filter(|list| !list.is_empty()).collect();
    step("the key exchange groups", builder.set_groups_list(&lists.join(tier)))?;
    step("the signature algorithms", builder.set_sigalgs_list(&plan.policy.signatures.join(":")))
}

/// Tickets are keyed per context, so they die with the generation that made them. A listener that
/// verifies clients resumes nothing: a session must not outlive the check of its certificate.
fn resumption(builder: &mut SslContextBuilder, plan: &Plan<'_>) -> Result<(), SetupError> {
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    if plan.trust.is_some() || plan.session_timeout.is_none() {
        builder.set_options(SslOptions::NO_TICKET);
        return step("no tickets", builder.set_num_tickets(0));
    }
    builder.clear_options(SslOptions::NO_TICKET);
    let id = format!("natssl {}", plan.number);
    step("the session id context", builder.set_session_id_context(id.as_bytes()))?;
    if let Some(timeout) = plan.session_timeout {
        ffi::set_session_timeout(builder, timeout);
    }
    // COMPAT: Go sends one.
    step("one ticket", builder.set_num_tickets(1))
}

fn certificate(builder: &mut SslContextBuilder, credential: &Credential) -> Result<(), SetupError> {
    let [leaf, intermediates @ ..] = credential.chain.as_slice() else { return Ok(()) };
    step("the certificate", builder.set_certificate(leaf))?;
    step("the private key", builder.set_private_key(&credential.key))?;
    for intermediate in intermediates {
        step("an intermediate", builder.add_extra_chain_cert(intermediate.clone()))?;
    }
    step("certificate and key together", builder.check_private_key())
}

/// Shows whatever lies in `slot` to clients that ask (RFC 6066 section 8). Nothing is waited for: a
/// dead responder costs a handshake nothing.
fn staple(builder: &mut SslContextBuilder, slot: Arc<Slot>) -> Result<(), SetupError> {
    let answer = move |ssl: &mut SslRef| match slot.current() {
        Some(staple) => ssl.set_ocsp_status(&staple.der).map(|()| true),
        None => Ok(false),
    };
    step("the status callback", builder.set_status_callback(answer))
}

/// Refuses a context that dropped what the policy holds: OpenSSL removes in silence what the
/// active provider lacks.
fn read_back(context: &SslContext, policy: &Policy) -> Result<(), SetupError> {
    let offered = ffi::context_suites(context);
    // With a ceiling of TLS 1.2 or a floor of 1.3, OpenSSL still lists the other family.
    match policy.suites.iter().find(|suite| !offered.contains(&suite.id)) {
        None => Ok(()),
        Some(suite) => Err(SetupError::SuiteUnavailable {
            name: suite.name,
            library: openssl::version::version().to_owned(),
        }),
    }
}

/// Where a context keeps its trust for [`verify`].
fn trust_index() -> Result<Index<SslContext, Arc<Trust>>, SetupError> {
    static INDEX: OnceLock<Index<SslContext, Arc<Trust>>> = OnceLock::new();
    if let Some(index) = INDEX.get() {
        return Ok(*index);
    }
    let index = step("a place for the trust of a context", SslContext::new_ex_index())?;
    Ok(*INDEX.get_or_init(|| index))
}

/// The verdict on the chain of a client, asked for by OpenSSL.
pub(super) fn verify(context: &mut X509StoreContextRef) -> bool {
    let ssl = X509StoreContext::ssl_idx().ok().and_then(|index| context.ex_data(index));
    let owner = ssl.map(|ssl| ssl.ssl_context().to_owned());
    let trust = owner.as_ref().zip(trust_index().ok()).and_then(|(owner, i)| owner.ex_data(i));
    // Without its trust nobody is trusted.
    let good = trust.is_some_and(|trust| trust.verify(context));
    if good {
        // The handshake goes on, and what did not fit on the way is no error of it.
        stream::forget_errors();
    }
    good
}

/// Records why a certificate was refused and turns the result into the one whose alert Go sends.
fn judge(trust: &Trust, good: bool, context: &mut X509StoreContextRef) -> bool {
    if trust.accepts(good, context) {
        stream::forget_errors();
        return true;
    }
    let (failure, result) = trust.explain(context);
    if let Ok(index) = X509StoreContext::ssl_idx() {
        let finding = context.ex_data(index).and_then(|ssl| ssl.ex_data(finding_index()));
        if let Some(Ok(mut finding)) = finding.map(Mutex::lock) {
            let chain = context.chain();
            let leaf = chain.and_then(|chain| chain.get(0));
            let revocation = leaf.map(|leaf| trust.revocation_of(leaf, chain, &[]));
            let leaf = leaf.and_then(PeerCertificate::of);
            *finding = Some(Refused { failure, leaf, revocation });
        }
    }
    context.set_error(ffi::verify_result(result));
    false
}
