//! Failures in words: what happened, and what to do about it. The rows stand beside the types they
//! explain; `explain` collects them for `natssl explain` and `docs/failures.md`.

/// One kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it is called where it is counted or shown as one word. Never changes.
    pub code: &'static str,
    /// Words that its line in the log or on the terminal always has; empty: none but its own.
    pub seen: &'static str,
    pub meaning: &'static str,
    /// What to do, in sentences.
    pub remedy: &'static str,
}

/// Rows for the variants of an enum. A variant without a row does not compile, and `EXPLAINED` has
/// every row.
macro_rules! explained {
    ($kind:ty { $($pattern:pat => $code:literal, $seen:literal, $meaning:literal, $remedy:literal;)+ }) => {
        impl $kind {
            /// One row for each variant.
            pub const EXPLAINED: &'static [$crate::explained::Explained] = &[
                $($crate::explained::Explained {
                    code: $code, seen: $seen, meaning: $meaning, remedy: $remedy,
                }),+
            ];

            /// The row of this variant.
            pub fn explained(&self) -> &'static $crate::explained::Explained {
                match self {
                    $($pattern => {
                        const ROW: $crate::explained::Explained = $crate::explained::Explained {
                            code: $code, seen: $seen, meaning: $meaning, remedy: $remedy,
                        };
                        &ROW
                    })+
                }
            }
        }
    };
}

pub(crate) use explained;
