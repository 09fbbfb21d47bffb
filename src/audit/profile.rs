//! What a configuration is held against, and where each demand comes from.

/// A named set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// What every site wants, whatever standard it has to follow.
    Baseline,
    Sp80052,
    Fips140,
    Cnsa2,
    MozillaIntermediate,
    MozillaModern,
}

impl Profile {
    pub const ALL: [Self; 6] = [
        Self::Baseline,
        Self::Sp80052,
        Self::Fips140,
        Self::Cnsa2,
        Self::MozillaIntermediate,
        Self::MozillaModern,
    ];

    /// Without `--profile`. The others exclude each other or these: CNSA 2.0 and Mozilla's "modern"
    /// refuse TLS 1.2, which SP 800-52r2 demands.
    pub const DEFAULT: [Self; 3] = [Self::Baseline, Self::Sp80052, Self::Fips140];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Sp80052 => "sp800-52r2",
            Self::Fips140 => "fips-140-3",
            Self::Cnsa2 => "cnsa-2.0",
            Self::MozillaIntermediate => "mozilla-intermediate",
            Self::MozillaModern => "mozilla-modern",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Before the clause.
    fn document(self) -> &'static str {
        match self {
            Self::Sp80052 => "SP 800-52r2 section ",
            Self::MozillaIntermediate => "Server Side TLS 5.7, intermediate: ",
            Self::MozillaModern => "Server Side TLS 5.7, modern: ",
            Self::Baseline | Self::Fips140 | Self::Cnsa2 => "",
        }
    }
}

/// How the author of a rule knows the clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The document itself was read.
    Original,
    /// From notes about the document: look it up before you quote it.
    Secondary,
    /// There is no document: the reason is natssl's own.
    Own,
}

impl Read {
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Secondary => "secondary",
            Self::Own => "own",
        }
    }
}

/// Where a demand stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    pub profile: Profile,
    place: &'static str,
    pub read: Read,
}

impl Clause {
    pub fn text(&self) -> String {
        format!("{}{}", self.profile.document(), self.place)
    }
}

const fn clause(profile: Profile, place: &'static str, read: Read) -> Clause {
    Clause { profile, place, read }
}

pub(super) const fn base(place: &'static str) -> Clause {
    clause(Profile::Baseline, place, Read::Secondary)
}

/// A reason without a document.
pub(super) const fn own(reason: &'static str) -> Clause {
    clause(Profile::Baseline, reason, Read::Own)
}

pub(super) const fn own_fips(reason: &'static str) -> Clause {
    clause(Profile::Fips140, reason, Read::Own)
}

/// The demand is what the server itself does; its behaviour was looked at.
pub(super) const fn observed(place: &'static str) -> Clause {
    clause(Profile::Baseline, place, Read::Original)
}

pub(super) const fn sp(section: &'static str) -> Clause {
    clause(Profile::Sp80052, section, Read::Secondary)
}

pub(super) const fn fips(place: &'static str) -> Clause {
    clause(Profile::Fips140, place, Read::Secondary)
}

pub(super) const fn cnsa(place: &'static str) -> Clause {
    clause(Profile::Cnsa2, place, Read::Secondary)
}

/// A key of `5.7.json`, which was read.
pub(super) const fn intermediate(key: &'static str) -> Clause {
    clause(Profile::MozillaIntermediate, key, Read::Original)
}

pub(super) const fn modern(key: &'static str) -> Clause {
    clause(Profile::MozillaModern, key, Read::Original)
}
