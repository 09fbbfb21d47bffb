//! Answers of OCSP responders.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::tls::ocsp::fuzz_one(data));
