//! `Authorization` and `Accept` of a monitoring request.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::monitor::shown::fuzz_one(data));
