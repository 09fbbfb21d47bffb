use super::*;

fn codes(asked: &str) -> Vec<String> {
    find(asked).into_iter().map(|answer| answer.code).collect()
}

#[test]
fn everything_that_is_listed_is_found_by_its_code() {
    let all = all();
    assert!(all.len() > 200, "{}", all.len());
    for answer in all {
        let found = find(&answer.code);
        let name = answer.code.split(' ').next_back().unwrap_or_default().to_owned();
        assert!(found.contains(&answer) || find(&name).contains(&answer), "{}", answer.code);
        assert!(answer.meaning.ends_with('.') && answer.remedy.ends_with('.'), "{answer:?}");
        assert!(!answer.meaning.contains("  ") && !answer.remedy.contains("  "), "{answer:?}");
    }
}

#[test]
fn failures_are_found_by_what_an_operator_has() {
    for (asked, code) in [
        ("not_tls", "not_tls"),
        ("FIPS-09", "FIPS-09"),
        ("tls.not_tls", "not_tls"),
        ("tls.unknown_ca", "tls.unknown_ca"),
        ("limit.payload", "Maximum Message Payload Exceeded"),
        ("fips-9", ""),
        ("exit 78", "exit 78"),
        ("exit code 78", "exit 78"),
        ("alert 48", "48 unknown_ca"),
        ("unknown_ca", "48 unknown_ca"),
        ("unknown certificate authority", "48 unknown_ca"),
        ("remote error: tls: unknown certificate authority", "48 unknown_ca"),
        ("X509_V_ERR_CERT_HAS_EXPIRED", "10 X509_V_ERR_CERT_HAS_EXPIRED"),
        ("certificate has expired", "10 X509_V_ERR_CERT_HAS_EXPIRED"),
        ("Slow Consumer (Pending Bytes)", "Slow Consumer (Pending Bytes)"),
        ("tls_files", "tls_files"),
        ("0A000086", "0A000086"),
        ("0x0a000086", "0A000086"),
        ("certificate verify failed", "0A000086"),
        ("error:0A0000C1:SSL routines::no shared cipher", "0A0000C1"),
        ("error:0308010C:digital envelope routines::unsupported", "0308010C"),
        (
            "[1] [ERR] 1.2.3.4:5 - cid:6 - TLS handshake error: tls: client didn't provide a \
             certificate (hint: x)",
            "no_client_certificate",
        ),
        ("tls: private key does not match public key", "pair_mismatch"),
    ] {
        let found = codes(asked);
        let want: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
        assert_eq!(found, want, "{asked}");
    }
}

#[test]
fn a_number_is_everything_it_can_be() {
    assert_eq!(codes("0"), ["0 close_notify", "exit 0"]);
    assert_eq!(
        codes("20"),
        ["20 bad_record_mac", "20 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY"]
    );
    assert_eq!(codes("999"), [""; 0]);
}

#[test]
fn what_is_not_known_has_neighbours() {
    assert_eq!(codes("not_tsl"), [""; 0]);
    assert!(near("not_tsl").contains(&"not_tls".to_owned()), "{:?}", near("not_tsl"));
    assert!(near("fips-9").contains(&"FIPS-09".to_owned()));
    assert!(near("expired").iter().any(|code| code.contains("CERT_HAS_EXPIRED")));
    assert!(near("zzzzzzzzzzzz").is_empty());
    assert!(near("_").len() <= 5);
}

#[test]
fn the_page_is_the_one_in_docs() {
    let page = include_str!("../../docs/failures.md");
    let made = markdown();
    for (old, new) in page.lines().zip(made.lines()) {
        assert_eq!(old, new, "run natssl explain --markdown > docs/failures.md");
    }
    assert_eq!(page.lines().count(), made.lines().count());
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let known: Vec<u8> = exit::EXIT_CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(known, [0, 1, 2, 3, 78]);
    assert!(known.contains(&crate::tls::Refusal::EXIT_CODE));
}
