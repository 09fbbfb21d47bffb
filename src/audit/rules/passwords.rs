//! Stored passwords, tokens and keys. No rule may show a value.

use crate::audit::model::{Model, SecretKind, Stored, User, get, text_of};
use crate::audit::profile::{base, fips, observed, own};
use crate::audit::rule::{Check, Outcome, Rule, Severity};
use crate::tls::crypto::password::{self, Form};

/// OWASP, password storage: bcrypt's cost, and iterations of PBKDF2 with SHA-256 and SHA-512.
const COST: u32 = 10;
const ITERATIONS: (u32, u32) = (600_000, 210_000);
/// SP 800-63B section 5.1.1.1.
const SHORTEST: usize = 8;
/// Out of documentation and examples, in lower case.
const KNOWN: [&str; 16] = [
    "s3cr3t",
    "t0ps3cr3t",
    "secret",
    "password",
    "pass",
    "changeme",
    "admin",
    "foo",
    "bar",
    "test",
    "nats",
    "pwd",
    "a",
    "b",
    "derek",
    "s3cret",
];
const HASH: &str = r#"password: "$pbkdf2-sha256$..." (made by 'natssl passwd')"#;

pub const RULES: &[Rule] = &[
    Rule {
        id: "NS-PWD-001",
        title: "A password is stored in clear",
        severity: Severity::High,
        clauses: &[
            base("SP 800-63B section 5.1.1.2"),
            fips("SP 800-63B section 5.1.1.2 with SP 800-132"),
        ],
        check: Check::Secret(|stored, _| match stored.kind {
            SecretKind::Password => is_hash(stored),
            SecretKind::Token | SecretKind::Url | SecretKind::Key => Outcome::Absent,
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-002",
        title: "A token is stored in clear",
        severity: Severity::High,
        clauses: &[base("SP 800-63B section 5.1.1.2")],
        check: Check::Secret(|stored, _| match stored.kind {
            SecretKind::Token => is_hash(stored),
            SecretKind::Password | SecretKind::Url | SecretKind::Key => Outcome::Absent,
        }),
        remedy: r#"token: "$pbkdf2-sha256$..." (made by 'natssl passwd')"#,
    },
    Rule {
        id: "NS-PWD-003",
        title: "A password is hashed with bcrypt, which is no approved algorithm",
        severity: Severity::Medium,
        clauses: &[fips("SP 800-132: PBKDF2; level fips_strict refuses bcrypt")],
        check: Check::Secret(|stored, _| match password::form(stored.value) {
            Form::Bcrypt => Outcome::fail(stored.at, "bcrypt"),
            Form::Pbkdf2 => Outcome::Pass,
            Form::Plain => Outcome::Absent,
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-004",
        title: "The cost of a bcrypt hash is below 10",
        severity: Severity::Medium,
        clauses: &[base("OWASP Password Storage Cheat Sheet")],
        check: Check::Secret(|stored, _| {
            if password::form(stored.value) != Form::Bcrypt {
                return Outcome::Absent;
            }
            // Two digits after "$2a$": that is what makes it bcrypt.
            let cost: u32 = stored.value.get(4..6).and_then(|c| c.parse().ok()).unwrap_or(0);
            Outcome::pass_if(cost >= COST, stored.at, format!("cost {cost}"))
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-005",
        title: "A PBKDF2 hash has few iterations",
        severity: Severity::Low,
        clauses: &[
            base("OWASP Password Storage Cheat Sheet: 600,000; 210,000 with SHA-512"),
            fips("SP 800-132 section 5.2: as many as users can bear"),
        ],
        check: Check::Secret(|stored, _| {
            if password::form(stored.value) != Form::Pbkdf2 {
                return Outcome::Absent;
            }
            match password::pbkdf2_cost(stored.value) {
                Ok((digest, iterations)) => {
                    let wanted = if digest == "SHA-512" { ITERATIONS.1 } else { ITERATIONS.0 };
                    let value = format!("{iterations} iterations of {digest}");
                    Outcome::pass_if(iterations >= wanted, stored.at, value)
                }
                Err(_) => Outcome::unknown("the hash cannot be read"),
            }
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-006",
        title: "A PBKDF2 hash cannot be used",
        severity: Severity::High,
        clauses: &[
            observed("natssl refuses it: damaged, salt below 128 bits, or iterations out of range"),
            fips("SP 800-132 sections 5.1 and 5.3"),
        ],
        check: Check::Secret(|stored, _| {
            if password::form(stored.value) != Form::Pbkdf2 {
                return Outcome::Absent;
            }
            match password::pbkdf2_cost(stored.value) {
                Ok(_) => Outcome::Pass,
                Err(error) => Outcome::fail(stored.at, error.to_string()),
            }
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-007",
        title: "A password has fewer than 8 characters",
        severity: Severity::Medium,
        clauses: &[base("SP 800-63B section 5.1.1.1"), fips("SP 800-63B section 5.1.1.1")],
        check: Check::Secret(|stored, _| {
            if password::form(stored.value) != Form::Plain {
                return Outcome::Absent;
            }
            let long = stored.value.chars().count() >= SHORTEST;
            Outcome::pass_if(long, stored.at, "it is short")
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-008",
        title: "A password comes from documentation",
        severity: Severity::High,
        clauses: &[base("CWE-1393: default password")],
        check: Check::Secret(|stored, _| {
            if password::form(stored.value) != Form::Plain {
                return Outcome::Absent;
            }
            let known = KNOWN.contains(&stored.value.to_lowercase().as_str());
            Outcome::pass_if(!known, stored.at, "it stands in examples")
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-009",
        title: "A user has no password, and nothing else stands for it",
        severity: Severity::High,
        clauses: &[base("CWE-258: empty password")],
        check: Check::User(no_password),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-010",
        title: "A password or token stands in a URL",
        severity: Severity::Medium,
        clauses: &[base("CWE-522: it is in clear, and logs show URLs")],
        check: Check::Endpoint(|endpoint, model| {
            if endpoint.urls.is_empty() {
                return Outcome::Absent;
            }
            let places: Vec<_> = endpoint.urls.iter().map(|(_, at)| *at).collect();
            let bad = model
                .secrets
                .iter()
                .find(|stored| stored.kind == SecretKind::Url && places.contains(&stored.at));
            match bad {
                Some(stored) => Outcome::fail(stored.at, "user and password"),
                None => Outcome::Pass,
            }
        }),
        remedy: "certificates between servers: verify_cert_and_check_known_urls: true",
    },
    Rule {
        id: "NS-PWD-011",
        title: "Two users have the same stored password",
        severity: Severity::Medium,
        clauses: &[own("one who knows it is the other, too")],
        check: Check::Secret(|stored, model| {
            if stored.kind != SecretKind::Password {
                return Outcome::Absent;
            }
            let twin = |other: &&Stored| {
                other.kind == SecretKind::Password
                    && other.value == stored.value
                    && other.at != stored.at
            };
            match model.secrets.iter().find(twin) {
                Some(other) => Outcome::fail(stored.at, format!("the same as the {}", other.name)),
                None => Outcome::Pass,
            }
        }),
        remedy: HASH,
    },
    Rule {
        id: "NS-PWD-012",
        title: "The key that encrypts JetStream's files stands in the configuration",
        severity: Severity::High,
        clauses: &[base("CWE-321: who reads the configuration reads the store")],
        check: Check::Server(|model| {
            let found = model.secrets.iter().find(|stored| stored.kind == SecretKind::Key);
            match found {
                Some(stored) => Outcome::fail(stored.at, "in clear, or out of the environment"),
                None if get(model.root, &["jetstream"]).is_none() => Outcome::Absent,
                None => Outcome::Pass,
            }
        }),
        remedy: "encrypt the file system instead, or use a TPM: jetstream { tpm { ... } }",
    },
];

fn is_hash(stored: &Stored) -> Outcome {
    match password::form(stored.value) {
        Form::Plain => Outcome::fail(stored.at, "in clear"),
        Form::Bcrypt | Form::Pbkdf2 => Outcome::Pass,
    }
}

fn no_password(user: &User, model: &Model) -> Outcome {
    let password = text_of(user.map, &["pass", "password"]).is_some_and(|(t, _)| !t.is_empty());
    if user.has_nkey {
        return Outcome::Absent;
    }
    let anonymous = text_of(model.root, &["no_auth_user"]).map(|(name, _)| name);
    let name = text_of(user.map, &["user", "username"]).map(|(name, _)| name);
    if anonymous.is_some() && anonymous == name {
        return Outcome::Absent;
    }
    Outcome::pass_if(password || user.is_mapped, user.at, "no password")
}
