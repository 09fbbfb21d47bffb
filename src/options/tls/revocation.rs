//! `revocation`: who decides where both lists and responders could.

use crate::tls::{Revocation, Settings};

/// Values of `revocation`.
pub const WORDS: [(&str, Revocation); 4] = [
    ("crl", Revocation::Crl),
    ("ocsp", Revocation::Ocsp),
    ("ocsp_then_crl", Revocation::OcspThenCrl),
    ("both", Revocation::Both),
];

/// Holds `revocation` against what there is to decide by. What it needs of responders it switches on.
pub fn check(settings: &mut Settings, asks: Option<bool>, lists: bool) -> Result<(), &'static str> {
    let (wants_ocsp, wants_lists) = match settings.revocation {
        Revocation::AsConfigured => return Ok(()),
        Revocation::Crl => (false, true),
        Revocation::Ocsp => (true, false),
        Revocation::OcspThenCrl | Revocation::Both => (true, true),
    };
    if wants_lists && !lists {
        return Err("this 'revocation' needs lists: add 'crl_file' or 'crl_dir'");
    }
    if !wants_lists && lists {
        return Err("'revocation: ocsp' uses no lists: take out 'crl_file' and 'crl_dir', or say \
                    'both' or 'ocsp_then_crl'");
    }
    if wants_ocsp && asks == Some(false) {
        return Err("this 'revocation' needs responders: take out 'ocsp_peer: false'");
    }
    if !wants_ocsp && settings.ocsp_peer.is_some() {
        return Err("'revocation: crl' asks no responder: take out 'ocsp_peer', or say 'both' or \
                    'ocsp_then_crl'");
    }
    if !settings.verify {
        return Err("'revocation' needs 'verify: true': without it no client is asked for a \
                    certificate");
    }
    if wants_ocsp {
        let peer = settings.ocsp_peer.get_or_insert_default();
        if settings.revocation == Revocation::OcspThenCrl
            && (peer.warn_only || peer.allow_when_ca_unreachable)
        {
            return Err(
                "with 'ocsp_then_crl' the lists decide where responders leave it open: take \
                        out 'warn_only' and 'allow_when_ca_unreachable' of 'ocsp_peer'",
            );
        }
    }
    Ok(())
}
