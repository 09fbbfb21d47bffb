//! Cryptography outside TLS: digests, random numbers, password hashes, key names.

pub mod digest;
pub mod nkey;
pub mod password;
pub mod random;
