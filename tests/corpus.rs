//! Every file of the fuzz corpus through its target's function, on stable Rust.

use std::path::Path;

fn run(target: &str, function: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        function(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "{} is empty", folder.display());
}

#[test]
fn protocol() {
    run("protocol", natssl::proto::parser::fuzz_one);
}

#[test]
fn conf() {
    run("conf", natssl::conf::fuzz_one);
}

#[test]
fn connect() {
    run("connect", natssl::proto::connect::fuzz_one);
}

#[test]
fn query() {
    run("query", natssl::monitor::query::fuzz_one);
}

#[test]
fn headers() {
    run("headers", natssl::monitor::shown::fuzz_one);
}

#[test]
fn hello() {
    run("hello", natssl::tls::sniff::fuzz_one);
}

#[cfg(not(feature = "fips"))]
#[test]
fn ocsp() {
    run("ocsp", natssl::tls::ocsp::fuzz_one);
}

#[test]
fn cache() {
    run("cache", natssl::ocsp::cache_file::fuzz_one);
}
