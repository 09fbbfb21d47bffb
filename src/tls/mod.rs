//! The seam: every cryptographic decision and call of the program.
//!
//! `src/tls` and `fips/` are all an auditor has to read. Nothing here knows NATS, accounts or
//! listeners; nothing outside names an algorithm, but for the rules of `audit`, which only look.
//! [`Ready`] proves that the library was started in order, and whatever computes asks for it.
//!
//! Not here: sockets (the caller brings a stream), files other than certificates, keys and CAs.

pub mod acceptor;
pub mod client;
mod codes;
mod context;
mod credential;
mod crl;
mod crl_index;
pub mod crypto;
pub mod dial;
pub mod error;
mod expiry;
pub mod explained;
mod ffi;
pub mod fips;
mod hint;
pub mod holder;
pub mod inspect;
mod link;
mod named;
pub mod names;
pub mod ocsp;
mod order;
pub mod peer;
pub mod pins;
pub mod pki;
mod policy;
mod profile;
mod provider;
mod ready;
mod report;
pub mod revocation;
pub mod settings;
pub mod sniff;
pub mod staple;
mod store;
pub mod stream;
pub mod tally;
mod trust;
pub mod verdict;
mod verified;

pub use acceptor::{Acceptor, Sighting};
pub use crl::{CrlCheck, CrlTotals};
pub use error::{HandshakeError, SetupError, VerifyFailure};
pub use expiry::{Clock, OwnCertificate};
pub use ffi::keep_freed_memory;
pub use ffi::sockets::watch;
pub use fips::settings::Recheck;
pub use fips::{Evidence, Level, Refusal, VERSION};
pub use holder::Holder;
pub use link::Link;
pub use named::NamePattern;
pub use peer::{Peer, PeerCertificate, PeerChain};
pub use pins::{Pin, Pins};
pub use policy::Policy;
pub use provider::Inventory;
pub use ready::{Ready, fips_in_force, start};
pub use report::{CertificateView, ProfileView};
pub use revocation::{PeerOcsp, Revocation};
pub use settings::{
    AskedClients, CertificateFiles, HandshakeFirst, NamedSettings, Passphrase, Settings,
};
pub use staple::{Note, Slot};
pub use store::address as store_address;
pub use stream::{Socket, Stream};
pub use tally::Tally;
pub use verdict::Verdict;
