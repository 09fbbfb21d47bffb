//! The configuration language.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::conf::fuzz_one(data));
