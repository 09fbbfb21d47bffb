//! Client operations, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::proto::parser::fuzz_one(data));
