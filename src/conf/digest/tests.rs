//! Lines whose SHA-256 is what `nats-server -t` (2.15.1) prints for the text; the hash is given where
//! it was compared. `SYSTEM` in any case but the lower one is a key nats-server takes no notice of.

use crate::conf::tests::json;

#[test]
fn lines_are_those_of_nats_server() {
    for (text, line) in [
        ("port: 19100\n", r#"{"port":19100}"#),
        // 7a4367d0f6a0584ea8e18cf6dbb1b00ac96b62f74ed9802bdb77337b545bf3fd
        ("x: 19100\nport: $x\n", r#"{"port":19100,"x":19100}"#),
        // 1453bb99352a91de90a97a4917827d1fc223a88a364519c8f60f4697e3b9fd1d
        ("SYSTEM: [1,2,3.5]\n", r#"{"SYSTEM":[1,2,3.5]}"#),
        // e9098738a1ecff43123e122e5c24316ee9298094d4b04f70ee7b2612cba5c147
        ("SYSTEM: {a:1,b:$a}\n", r#"{"SYSTEM":{"a":1,"b":1}}"#),
        // d8f1e4de04e89bae4d7b1a9dee30feb2ded11e845be915aa1fbeb92412d7dafd
        ("SYSTEM: (\nabc\n)", r#"{"SYSTEM":"\nabc\n)"}"#),
        // 97b9659c37f0ca6c3e9ba6ac19e441e1f35c3667b1dd6c788228cd2d5b5b5681 with 5 for $A
        (
            "SYSTEM: [2026-01-02T03:04:05Z, on, {b: 10k, a: 2KiB}, 5, []]\n",
            r#"{"SYSTEM":["2026-01-02T03:04:05Z",true,{"a":2048,"b":10000},5,[]]}"#,
        ),
    ] {
        assert_eq!(json(text), line, "{text:?}");
    }
}

#[test]
fn floats_are_those_of_go() {
    // 27367f7848cd9b462ef80382f29cddbbd37abecf26343c1e4334437d36347af0
    let text = "SYSTEM: 1.5\nSystem: 0.0000001\nSYSTEm: 123456789012345678901234567890.5\n\
                SYSTEM_account: -0.0";
    let line =
        r#"{"SYSTEM":1.5,"SYSTEM_account":-0,"SYSTEm":1.2345678901234568e+29,"System":1e-7}"#;
    assert_eq!(json(text), line);
    // e3701e11e1baf443a71fb31f1a51da24a1e3314872e80213c2268a8e8df2a93d
    assert_eq!(json("SYSTEM: 100000000000000000000.5\n"), r#"{"SYSTEM":100000000000000000000}"#);
    // 182584e5c1870abf404c5430673640b5b7f98103e34794596d048a34c23e15b0
    let text =
        "SYSTEM: 9E\nSystem: 1000000000000000000000000.0\n sYSTEM: 999999999999999999999.0\n";
    let line = r#"{"SYSTEM":9000000000000000000,"System":1e+24,"sYSTEM":1e+21}"#;
    assert_eq!(json(text), line);
}

#[test]
fn escapes_are_those_of_go() {
    // 5bb6e0bd5b3f4ea2419479ec72796679d94f955bd0b15103b92b5afa10995f92
    let text = "SYSTEM: \"<a&b>\\x00\\x1f\\x7f\\x08\\x0c\\t\\\"\\\\\u{e9}\u{2028}\"\n";
    let line = "{\"SYSTEM\":\"\\u003ca\\u0026b\\u003e\\u0000\\u001f\u{7f}\\b\\f\\t\\\"\\\\\u{e9}\\u2028\"}";
    assert_eq!(json(text), line);
}
