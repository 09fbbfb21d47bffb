//! Records what the program was built from: commit, profile and OpenSSL header version.
//! No network, no clock, no generated code.

use std::process::Command;

fn main() {
    let commit = Command::new("git").args(["rev-parse", "--short=7", "HEAD"]).output();
    let commit = match commit {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        // A source package has no repository.
        _ => String::new(),
    };
    println!("cargo:rustc-env=NATSSL_COMMIT={commit}");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-changed=build.rs");
    let profile = std::env::var("PROFILE").unwrap_or_default();
    println!("cargo:rustc-env=NATSSL_PROFILE={profile}");
    // openssl-sys tells its dependents the version of the headers it was built with.
    let number = std::env::var("DEP_OPENSSL_VERSION_NUMBER").unwrap_or_default();
    println!("cargo:rustc-env=NATSSL_OPENSSL_HEADERS={}", headers(&number));
}

/// `30000130` (hex, MNN00PP0) as `3.0.19`.
fn headers(number: &str) -> String {
    match u64::from_str_radix(number, 16) {
        Ok(number) => {
            format!("{}.{}.{}", number >> 28 & 0xf, number >> 20 & 0xff, number >> 4 & 0xff)
        }
        Err(_) => "unknown".to_owned(),
    }
}
