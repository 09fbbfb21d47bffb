//! Outcomes of records: `docs/audit-log.md` names each, and `natssl explain` knows them.

use crate::session::CloseReason;
use crate::tls::{HandshakeError, VerifyFailure};
use std::collections::BTreeSet;

/// All that `outcome` of a connection may be. Never taken away, never changed.
fn codes() -> BTreeSet<String> {
    // A refused certificate has a code of its own for every reason.
    let handshakes = HandshakeError::EXPLAINED.iter().map(|row| row.code);
    let handshakes = handshakes.filter(|code| *code != "client_certificate_refused");
    let verify = VerifyFailure::OUTCOMES.iter().map(|(_, outcome)| (*outcome).to_owned());
    let reasons = CloseReason::ALL.iter().map(|reason| reason.outcome().to_owned());
    let all = handshakes.map(|code| format!("tls.{code}")).chain(verify).chain(reasons);
    // The last two are told from others of their kind by more than a table.
    let others = ["accepted", "limit.connection_rate", "tls.certificate_not_yet_valid"];
    all.chain(others.map(str::to_owned)).collect()
}

#[test]
fn the_documentation_has_each_and_no_other() {
    let page = include_str!("../../../docs/audit-log.md");
    let chapter = page.split("## Outcomes").nth(1).and_then(|rest| rest.split("\n## ").next());
    let cells = chapter.unwrap().lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = cells.map(|rest| rest.split(" | ").next().unwrap());
    let named: BTreeSet<String> = cells
        .flat_map(|cell| cell.split(", "))
        .map(|code| code.trim_matches('`').to_owned())
        .collect();
    assert_eq!(named, codes());
}
