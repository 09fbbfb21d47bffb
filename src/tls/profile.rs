//! What a listener holds ready for its clients: all of them, or those that ask for certain names.

use super::context::{self, Plan};
use super::credential::{self, Credential};
use super::error::SetupError;
use super::fips::{Level, rehearsal, rules};
use super::names::Suite;
use super::pins::Pins;
use super::policy::Policy;
use super::ready::Ready;
use super::revocation::{PeerOcsp, Revocation};
use super::settings::{CertificateFiles, Settings};
use super::staple::Slot;
use super::trust::{Bundle, Trust};
use openssl::error::ErrorStack;
use openssl::hash::Hasher;
use openssl::ssl::SslContext;
use std::sync::Arc;

/// Contexts, certificates and what they amount to. Each has contexts, and so ticket keys, of its
/// own: no session of one can be resumed with another.
pub struct Profile {
    /// One context a credential, in the same order; one bare context when there is none.
    pub contexts: Vec<SslContext>,
    pub credentials: Vec<Credential>,
    /// For the staple of each credential, in the same order.
    pub slots: Vec<Arc<Slot>>,
    pub policy: Policy,
    /// Where clients are verified.
    pub trust: Option<Arc<Trust>>,
    /// Clients without a certificate are let in all the same.
    pub optional: bool,
    /// The same with CRLs, where they decide only what responders leave open.
    pub lists: Option<Arc<Trust>>,
    pub ocsp_peer: Option<PeerOcsp>,
    pub close_expired: bool,
    pub identify: bool,
    /// Sessions can be resumed.
    pub resumes: bool,
    pub pins: Pins,
    pub level: Level,
}

impl Profile {
    /// Loads, checks and builds everything. `number` is the profile's among those of the listener;
    /// `shared`: a trust that was loaded from the same settings.
    pub fn new(
        ready: Ready,
        settings: &Settings,
        number: u32,
        shared: Option<&Arc<Trust>>,
        digest: &mut Hasher,
    ) -> Result<Self, SetupError> {
        let inventory = ready.inventory();
        let credentials = credential::load(settings)
            .map_err(|error| rules::explain(error, settings, inventory))?;
        // COMPAT: a CA file is read and checked where nobody is verified, too.
        let bundle = match settings.verify {
            true => None,
            false => settings.ca_file.as_deref().map(Bundle::load).transpose()?,
        };
        // Responders have the first word, lists the last.
        let last_word = settings.revocation == Revocation::OcspThenCrl;
        let trust = match (settings.verify, shared) {
            (false, _) => None,
            (true, Some(shared)) => Some(Arc::clone(shared)),
            (true, None) if last_word => Some(Arc::new(Trust::load(&settings.without_lists())?)),
            (true, None) => Some(Arc::new(Trust::load(settings)?)),
        };
        let lists = match settings.verify && last_word {
            true => Some(Arc::new(Trust::load(settings)?)),
            false => None,
        };
        let pins = Pins::resolve(&settings.pins)?;
        let policy = Policy::new(settings, inventory)?;
        for (index, credential) in credentials.iter().enumerate() {
            let place = || settings.certificate_places.get(index).cloned();
            rules::check_credential(credential, inventory)
                .map_err(|error| SetupError::NotApproved { error, place: place() })?;
        }
        let plan = Plan {
            policy: &policy,
            trust: trust.as_ref(),
            optional: settings.certificate_optional,
            level: inventory.level,
            session_timeout: settings.session_tickets.then_some(settings.session_timeout),
            number,
            tiers: inventory.version() >= (3, 5),
        };
        let mut contexts = Vec::with_capacity(credentials.len().max(1));
        let cas = bundle.as_ref().or(trust.as_deref().and_then(Trust::bundle));
        let cas = cas.map_or(&[][..], Bundle::certificates);
        let slot = |(credential, files): (&Credential, &CertificateFiles)| {
            Arc::new(Slot::new(&credential.chain, cas, files.name()))
        };
        let slots: Vec<_> = credentials.iter().zip(&settings.certificates).map(slot).collect();
        for pair in credentials.iter().zip(&slots) {
            contexts.push(context::build(&plan, Some(pair))?);
        }
        if inventory.level > Level::Off {
            for (context, credential) in contexts.iter().zip(&credentials) {
                rehearsal::rehearse(context, credential, &policy, inventory.level)?;
            }
        }
        if contexts.is_empty() {
            contexts.push(context::build(&plan, None)?);
        }
        let all_trust = lists.as_deref().or(trust.as_deref());
        add_contents(digest, &credentials, bundle.as_ref(), all_trust, &pins)?;
        Ok(Self {
            contexts,
            credentials,
            slots,
            policy,
            trust,
            optional: settings.certificate_optional,
            lists,
            ocsp_peer: settings.ocsp_peer.clone().filter(|_| settings.verify),
            close_expired: settings.close_expired,
            identify: settings.identify,
            resumes: settings.session_tickets && !settings.verify,
            pins,
            level: inventory.level,
        })
    }

    /// The trust with all CRLs, whenever they are looked at.
    pub fn all_trust(&self) -> Option<&Arc<Trust>> {
        self.lists.as_ref().or(self.trust.as_ref())
    }

    /// The suites of the versions it speaks: a policy for one holds the other's, too.
    pub fn suites(&self) -> impl Iterator<Item = &'static Suite> {
        let Policy { min_version, max_version, suites, .. } = &self.policy;
        suites.iter().copied().filter(move |s| (min_version..=max_version).contains(&&s.version))
    }

    /// What is offered, in words.
    pub fn policy_lines(&self) -> Vec<String> {
        let (policy, list) = (&self.policy, |names: Vec<&str>| names.join(", "));
        let (min, max) = (policy.min_version, policy.max_version);
        let versions = if min == max {
            min.text().to_owned()
        } else {
            format!("{} to {}", min.text(), max.text())
        };
        let suites = list(self.suites().map(|suite| suite.name).collect());
        let groups = list(policy.groups.iter().map(|group| group.name).collect());
        vec![format!("TLS {versions}, cipher suites: {suites}"), format!("TLS groups: {groups}")]
    }

    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<_> =
            self.all_trust().iter().flat_map(|trust| trust.lists().stale()).collect();
        if !self.pins.is_empty() && self.trust.is_none() {
            let text = "'pinned_certs' without 'verify' refuses every client: none is asked for a \
                        certificate";
            warnings.push(text.to_owned());
        }
        warnings
    }
}

fn add_contents(
    digest: &mut Hasher,
    credentials: &[Credential],
    bundle: Option<&Bundle>,
    trust: Option<&Trust>,
    pins: &Pins,
) -> Result<(), SetupError> {
    let failed = |source| SetupError::Library { step: "a digest of the certificates", source };
    // What one set of names has is not what the next one has.
    digest.update(b"profile").map_err(failed)?;
    let mut add =
        |der: Result<Vec<u8>, ErrorStack>| der.and_then(|der| digest.update(&der)).map_err(failed);
    let bundle = bundle.or(trust.and_then(Trust::bundle));
    let chains = credentials.iter().flat_map(|credential| &credential.chain);
    for certificate in chains.chain(bundle.into_iter().flat_map(Bundle::certificates)) {
        add(certificate.to_der())?;
    }
    for list in trust.into_iter().flat_map(|trust| trust.lists().digests()) {
        add(Ok(list.to_vec()))?;
    }
    add(Ok(pins.iter().collect::<Vec<_>>().join(",").into_bytes()))
}
