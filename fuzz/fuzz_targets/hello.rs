//! The first bytes of a TLS connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::tls::sniff::fuzz_one(data));
