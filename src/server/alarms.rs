//! What is wrong with the running server and waits for somebody to mend it: raised once, taken back
//! when it is over, shown by monitoring in between.

use crate::explained::explained;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// The files of `tls` cannot be used; those of before are served.
    TlsFiles,
    /// A certificate of the server's own runs out within 30 days, or has.
    CertificateExpiry,
    /// A certificate that should be stapled has no staple, or one that is not good.
    OcspStaple,
    /// The audit log cannot be written: new connections wait, or records are lost.
    AuditLog,
    /// The proof of the FIPS module failed while the server ran.
    FipsProof,
}

explained! { AlarmKind {
    Self::TlsFiles => "tls_files", "The files of 'tls'",
        "Files of the 'tls' block changed and cannot be used; those of before are still served.",
        "The alarm says which and why. Put certificate and key there that belong together; the \
         server takes them over by itself, or at the next reload.";
    Self::CertificateExpiry => "certificate_expiry", "TLS of the client listener:",
        "A certificate of the server's own runs out within 30 days, or has.",
        "Renew it and put it in place: it is taken over without a restart.";
    Self::OcspStaple => "ocsp_staple", "OCSP status",
        "A certificate that should be stapled has no staple, or one that does not say good.",
        "Look whether the responder answers: openssl ocsp -issuer CA -cert CERT -url URL. If it says \
         revoked, replace the certificate. See docs/ocsp.md.";
    Self::AuditLog => "audit_log", "audit log",
        "The audit log cannot be written: new connections wait, or records are lost.",
        "The alarm says why. Make room, or put the folder right: writing goes on by itself. See \
         docs/audit-log.md.";
    Self::FipsProof => "fips_proof", "FIPS 140-3 mode is no longer proven",
        "The proof of the FIPS module failed while the server ran.",
        "The server ends with 78, unless 'recheck' in fips.conf says otherwise. natssl fips check \
         tells the reason.";
} }

impl AlarmKind {
    /// As monitoring shows it.
    pub fn name(self) -> &'static str {
        self.explained().code
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    pub kind: AlarmKind,
    /// RFC 3339.
    pub since: String,
    pub text: String,
}

#[derive(Default)]
pub struct Alarms(Mutex<BTreeMap<AlarmKind, Vec<Alarm>>>);

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AlarmKind, Vec<Alarm>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are all alarms of `kind` now. One that says what it said before keeps its time.
    pub fn set(&self, kind: AlarmKind, texts: Vec<String>, now: jiff::Timestamp) {
        self.change(kind, |_| false, texts, now);
    }

    /// Of the alarms of `kind` those stay that `stays` says, and these come. In one step: another
    /// thread may have others of this kind to tell.
    pub fn change(
        &self,
        kind: AlarmKind,
        stays: impl Fn(&str) -> bool,
        more: Vec<String>,
        now: jiff::Timestamp,
    ) {
        let mut alarms = self.lock();
        let before = alarms.remove(&kind).unwrap_or_default();
        let stay = before.iter().map(|alarm| alarm.text.clone()).filter(|text| stays(text));
        let texts: Vec<String> = stay.chain(more).collect();
        let now = now.to_string();
        let alarm = |text: String| {
            let old = before.iter().find(|old| old.text == text);
            let since = old.map_or_else(|| now.clone(), |old| old.since.clone());
            Alarm { kind, since, text }
        };
        alarms.insert(kind, texts.into_iter().map(alarm).collect());
    }

    pub fn all(&self) -> Vec<Alarm> {
        self.lock().values().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_monitoring() {
        for kind in [
            AlarmKind::TlsFiles,
            AlarmKind::CertificateExpiry,
            AlarmKind::OcspStaple,
            AlarmKind::FipsProof,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn alarms_stay_until_they_are_taken_back() {
        let alarms = Alarms::default();
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        alarms.set(AlarmKind::TlsFiles, vec!["a".to_owned()], at(1));
        let since = alarms.all()[0].since.clone();
        alarms.set(AlarmKind::CertificateExpiry, vec!["b".to_owned()], at(2));
        alarms.set(AlarmKind::TlsFiles, vec!["a".to_owned(), "c".to_owned()], at(3));
        let all = alarms.all();
        let texts: Vec<_> = all.iter().map(|alarm| alarm.text.as_str()).collect();
        assert_eq!(texts, ["a", "c", "b"]);
        assert_eq!(all[0].since, since);
        assert_ne!(all[1].since, since);
        alarms.change(AlarmKind::TlsFiles, |text| text == "a", vec!["d".to_owned()], at(4));
        let texts: Vec<_> = alarms.all().into_iter().map(|alarm| alarm.text).collect();
        assert_eq!(texts, ["a", "d", "b"]);
        assert_eq!(alarms.all()[0].since, since);
        alarms.set(AlarmKind::TlsFiles, Vec::new(), at(4));
        assert_eq!(alarms.all().len(), 1);
    }
}
