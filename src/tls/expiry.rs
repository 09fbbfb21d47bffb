//! A server's own certificates run out: whom to tell, and when.

use std::collections::HashMap;

/// Days before the end at which a warning is due; 0 is the end.
const DAYS: [i64; 5] = [30, 14, 7, 1, 0];
const DAY: i64 = 86_400;

/// One element of a chain that a listener serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    pub subject: String,
    /// Hex SHA-256 of the DER certificate.
    pub sha256: String,
    /// Seconds since 1970.
    pub not_after: i64,
    /// 0 is the leaf.
    pub depth: usize,
}

impl OwnCertificate {
    /// Whole days left, rounded down; negative after the end.
    pub fn days_left(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(DAY)
    }

    /// In how many of [`DAYS`] it is.
    fn stage(&self, now: i64) -> usize {
        let left = self.not_after - now;
        DAYS.iter().filter(|days| left <= **days * DAY).count()
    }

    /// What is told as long as it lasts, from 30 days before the end.
    pub fn alarm(&self, now: i64) -> Option<String> {
        let Self { subject, sha256, not_after, depth } = self;
        let end = jiff::Timestamp::from_second(*not_after).unwrap_or_default();
        (self.stage(now) > 0)
            .then(|| format!("{} {subject:?} (SHA-256 {sha256}) ends {end}", which(*depth)))
    }

    /// The warning, without the listener's name.
    fn text(&self, now: i64) -> String {
        let Self { subject, sha256, not_after, depth } = self;
        let which = which(*depth);
        let end = jiff::Timestamp::from_second(*not_after).unwrap_or_default();
        let when = match self.days_left(now) {
            ..0 => format!("has run out: it ended {end}"),
            0 => format!("runs out within a day: {end}"),
            days => format!("runs out in {days} day{}: {end}", if days == 1 { "" } else { "s" }),
        };
        format!("{which} {subject:?} (SHA-256 {sha256}) {when}")
    }
}

fn which(depth: usize) -> String {
    match depth {
        0 => "certificate".to_owned(),
        depth => format!("intermediate certificate {depth}"),
    }
}

/// What was told of which certificate.
#[derive(Default)]
pub struct Clock {
    told: HashMap<String, usize>,
}

impl Clock {
    /// The warnings due at `now` (seconds since 1970): each stage of each certificate once. A clock
    /// that is set back repeats nothing; a new certificate starts afresh.
    pub fn due(&mut self, certificates: &[OwnCertificate], now: i64) -> Vec<String> {
        let mut told = HashMap::with_capacity(certificates.len());
        let mut texts = Vec::new();
        for certificate in certificates {
            let before = self.told.get(&certificate.sha256).copied().unwrap_or(0);
            let stage = certificate.stage(now).max(before);
            if stage > before && !told.contains_key(&certificate.sha256) {
                texts.push(certificate.text(now));
            }
            told.insert(certificate.sha256.clone(), stage);
        }
        self.told = told;
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: i64 = 2_000_000_000;

    fn certificate(name: &str) -> OwnCertificate {
        let (subject, sha256) = (format!("CN={name}"), name.to_owned());
        OwnCertificate { subject, sha256, not_after: END, depth: 0 }
    }

    #[test]
    fn every_stage_is_told_once() {
        let mut clock = Clock::default();
        let mine = [certificate("a")];
        let mut told = Vec::new();
        // Hour by hour, from forty days before to ten days after.
        for hour in -40 * 24..10 * 24 {
            told.extend(clock.due(&mine, END + hour * 3600).into_iter().map(|text| (hour, text)));
        }
        let hours: Vec<i64> = told.iter().map(|(hour, _)| *hour).collect();
        assert_eq!(hours, [-30 * 24, -14 * 24, -7 * 24, -24, 0]);
        assert_eq!(
            told[0].1,
            "certificate \"CN=a\" (SHA-256 a) runs out in 30 days: 2033-05-18T03:33:20Z"
        );
        assert!(told[3].1.contains("runs out in 1 day:"), "{}", told[3].1);
        assert!(clock.due(&mine, END + 1).is_empty());
    }

    #[test]
    fn a_late_start_tells_the_state_and_a_clock_set_back_repeats_nothing() {
        let mut clock = Clock::default();
        let mine = [certificate("a")];
        let late = clock.due(&mine, END + DAY);
        assert!(late[0].contains("has run out: it ended"), "{late:?}");
        assert!(clock.due(&mine, END - 5 * DAY).is_empty());
        assert!(clock.due(&mine, END + 2 * DAY).is_empty());
        let other = clock.due(&[certificate("b")], END - 3 * DAY);
        assert_eq!(other.len(), 1);
        assert!(clock.due(&[certificate("b"), certificate("b")], END - 3 * DAY).is_empty());
    }

    #[test]
    fn chain_elements_are_named() {
        let mut ca = certificate("ca");
        ca.depth = 1;
        let text = Clock::default().due(&[ca], END - 3600);
        assert!(text[0].starts_with("intermediate certificate 1 "), "{text:?}");
        assert!(text[0].contains("runs out within a day"), "{text:?}");
    }
}
