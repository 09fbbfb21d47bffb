//! Every failure of TLS in words: rows for the kinds of [`error`](super::error), for alerts, for
//! results of certificate verification, and for errors of OpenSSL.

mod alerts;
mod kinds;
mod library;
mod outcomes;
mod x509;

pub use alerts::{ALERTS, Alert};
pub use library::{LIBRARY_ROWS, LibraryError, LibraryRow, find_library_errors, library_error};
pub use outcomes::VERIFY_OUTCOMES;
pub use x509::{VERIFY_RESULTS, VerifyResult};
