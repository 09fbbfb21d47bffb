//! The file of nats-server's OCSP peer cache, and the streams in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| natssl::ocsp::cache_file::fuzz_one(data));
