//! Names of subjects and the index of who wants them.
//!
//! Pure and generic: it knows neither connections nor messages.

pub mod cache;
pub mod sublist;
pub mod token;

pub use cache::Cache;
pub use sublist::{Matches, Statistics, Sublist};
