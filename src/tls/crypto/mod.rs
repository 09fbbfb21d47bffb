//! Cryptography outside TLS: digests, random numbers, password hashes, key names, seals of records.

pub mod digest;
pub mod nkey;
pub mod password;
pub mod random;
pub mod seal;
