//! The JSON of CONNECT.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::proto::connect::fuzz_one(data));
