//! Path and query of a monitoring request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::monitor::query::fuzz_one(data));
