//! The fixtures in `rules/`: a line `NS-XXX-001 fail`, `... pass` or `... open` (not evaluated), then the
//! configuration, indented. `host=off` or `host=good` on the line looks at a machine without or with FIPS mode,
//! `mode=644` gives the file these permissions, `count=2` says how many findings there must be.

use super::made::configuration;
use super::{made, run};
use natssl::audit::report::Finding;
use natssl::audit::{Host, Profile, Report, audit, rules};
use natssl::conf::{self, Map, Value};
use natssl::net::FileSource;
use natssl::tls::{inspect, names};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Fail,
    Pass,
    /// Not evaluated.
    Open,
}

struct Fixture {
    id: String,
    want: Want,
    host: Option<Host>,
    mode: u32,
    count: usize,
    text: String,
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/rules");
    let mut fixtures: Vec<Fixture> = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            if line.starts_with("NS-") {
                fixtures.push(head(line));
            } else if let Some(text) = line.strip_prefix("  ") {
                let fixture = fixtures.last_mut().expect("a heading comes first");
                fixture.text.push_str(text);
                fixture.text.push('\n');
            } else {
                assert!(line.is_empty() || line.starts_with('#'), "{}: {line:?}", file.display());
            }
        }
    }
    fixtures
}

fn head(line: &str) -> Fixture {
    let words: Vec<&str> = line.split(' ').collect();
    let mut fixture = Fixture {
        id: words[0].to_owned(),
        want: match words[1] {
            "fail" => Want::Fail,
            "pass" => Want::Pass,
            "open" => Want::Open,
            // The key is ML-DSA, which OpenSSL reads from 3.5 on.
            "open<3.5" if openssl::version::number() < 0x3050_0000 => Want::Open,
            "open<3.5" => Want::Pass,
            other => panic!("{line}: {other}"),
        },
        host: None,
        mode: 0o640,
        count: 1,
        text: String::new(),
    };
    for word in &words[2..] {
        match word.split_once('=') {
            Some(("host", "off")) => fixture.host = Some(host(false)),
            Some(("host", "good")) => fixture.host = Some(host(true)),
            Some(("mode", mode)) => fixture.mode = u32::from_str_radix(mode, 8).unwrap(),
            Some(("count", count)) => fixture.count = count.parse().unwrap(),
            _ => panic!("{line}: {word}"),
        }
    }
    fixture
}

fn host(good: bool) -> Host {
    Host {
        proven: good,
        strict: good,
        module: if good { "OpenSSL FIPS Provider 3.1.2" } else { "none" }.to_owned(),
        is_listed: good,
        kernel: if good { "1" } else { "0" }.to_owned(),
        kernel_on: good,
    }
}

#[test]
fn every_rule_has_a_fixture_it_fails_and_one_it_passes() {
    let mut seen: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for fixture in fixtures() {
        assert!(rules::find(&fixture.id).is_some(), "{} is no rule", fixture.id);
        match fixture.want {
            Want::Pass => seen.entry(fixture.id).or_default()[0] += 1,
            Want::Fail => seen.entry(fixture.id).or_default()[1] += 1,
            Want::Open => {}
        }
    }
    let incomplete: Vec<_> = rules::all()
        .filter(|rule| seen.get(rule.id).is_none_or(|[pass, fail]| *pass == 0 || *fail == 0))
        .map(|rule| rule.id)
        .collect();
    assert!(incomplete.is_empty(), "no complete fixtures: {incomplete:?}");
}

/// What is wrong with how a fixture comes out.
fn wrong(fixture: &Fixture, report: &Report) -> Option<String> {
    let is = |id: &str| id == fixture.id;
    let found: Vec<_> = report.findings.iter().filter(|f| is(f.rule.id)).collect();
    let unknown: Vec<_> = report.unknown.iter().filter(|f| is(f.rule.id)).collect();
    let held = report.passed.iter().any(|rule| is(rule.id));
    // What is about the configuration has a place in it.
    let about_machine = fixture.id.starts_with("NS-HST-");
    let placed = found.iter().all(|f| f.at.is_some() != about_machine);
    let good = match fixture.want {
        Want::Fail => found.len() == fixture.count && unknown.is_empty() && placed,
        // Not applicable is not passed.
        Want::Pass => held && found.is_empty() && unknown.is_empty(),
        Want::Open => !held && found.is_empty() && !unknown.is_empty(),
    };
    (!good).then(|| {
        let told: Vec<_> = found.iter().map(|f| format!("{}: {}", f.subject, f.value)).collect();
        let open: Vec<_> = unknown.iter().map(|f| f.value.as_str()).collect();
        format!(
            "{} {:?}: findings {told:?}, not evaluated {open:?}, held {held}, placed {placed}\n{}",
            fixture.id, fixture.want, fixture.text
        )
    })
}

fn reports() -> Vec<(Fixture, Report)> {
    let made = made();
    let one = |(i, fixture): (usize, Fixture)| {
        let name = format!("fixture-{i}-{:?}.conf", std::thread::current().id());
        let file = configuration(made, &name, &fixture.text, fixture.mode);
        let report = run(&file, &Profile::ALL, fixture.host.clone());
        (fixture, report)
    };
    fixtures().into_iter().enumerate().map(one).collect()
}

#[test]
fn every_fixture_comes_out_as_it_says() {
    let reports = reports();
    let complaints: Vec<_> = reports.iter().filter_map(|(f, report)| wrong(f, report)).collect();
    assert!(complaints.is_empty(), "{} wrong:\n{}", complaints.len(), complaints.join("\n"));
    for (fixture, report) in &reports {
        // What is secret is in no form of the report.
        let all = format!("{}{}{}", report.text(), report.json(), report.sarif(true));
        assert!(!all.contains("hunter2horse"), "{}: a secret is printed", fixture.id);
    }
}

/// The judgement can fail: a fixture comes out in one way only.
#[test]
fn no_fixture_comes_out_as_anything_else() {
    for (mut fixture, report) in reports() {
        let meant = fixture.want;
        for want in [Want::Fail, Want::Pass, Want::Open] {
            fixture.want = want;
            let complains = wrong(&fixture, &report).is_some();
            assert_eq!(complains, want != meant, "{} {want:?}\n{}", fixture.id, fixture.text);
        }
    }
}

/// The suites that rules of the FIPS profile find are those natssl refuses in FIPS mode.
#[test]
fn the_fips_profile_finds_the_suites_natssl_refuses() {
    for suite in &names::SUITES {
        let text = format!(
            "tls {{ cipher_suites: [\"{}\", \"TLS_AES_256_GCM_SHA384\"], min_version: \"1.2\" }}",
            suite.name
        );
        let name = format!("suite-{}.conf", suite.id);
        let file = configuration(made(), &name, &text, 0o640);
        let report = run(&file, &[Profile::Fips140], None);
        let told = |f: &&Finding| f.rule.id.starts_with("NS-SUI-") && f.value.contains(suite.name);
        let own = report.findings.iter().filter(|f| f.rule.id != "NS-SUI-013").find(told);
        let refused = inspect::refused_in_fips(suite).is_some();
        assert_eq!(own.is_some(), refused, "{}", suite.name);
    }
}

/// Whatever stands where something else should: no crash, and every rule is accounted for.
#[test]
fn values_of_the_wrong_type_are_no_crash() {
    let made = made();
    let expected = rules::all().count();
    let mut turn = 0;
    for (i, fixture) in fixtures().into_iter().enumerate().step_by(3) {
        let name = format!("wrong-{i}.conf");
        let file = configuration(made, &name, &fixture.text, fixture.mode);
        let file = file.to_str().unwrap();
        let whole = conf::parse(&FileSource, file).unwrap();
        for path in paths(&whole.root) {
            turn += 1;
            let mut document = whole.clone();
            document.root = with(&whole.root, &path, turn);
            let ready = natssl::tls::start().unwrap();
            let report = audit(ready, &document, file, &Profile::ALL, None, inspect::now());
            let told = report.findings.iter().chain(&report.unknown).map(|f| f.rule.id);
            let others = report.passed.iter().chain(&report.inapplicable).map(|rule| rule.id);
            let ids: BTreeSet<_> = told.chain(others).collect();
            assert_eq!(ids.len(), expected, "{path:?} in\n{}", fixture.text);
        }
    }
    assert!(turn > 300, "{turn}");
}

/// The places of all entries, two levels deep.
fn paths(root: &Map) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for entry in root {
        paths.push(vec![entry.key.clone()]);
        if let Value::Map(map) = &entry.item.value {
            paths.extend(map.iter().map(|inner| vec![entry.key.clone(), inner.key.clone()]));
        }
    }
    paths
}

/// The map with another type at the place.
fn with(map: &Map, path: &[String], turn: usize) -> Map {
    let replaced = |entry: &conf::Entry| {
        let mut entry = entry.clone();
        if entry.key == path[0] {
            entry.item.value = match &entry.item.value {
                Value::Map(inner) if path.len() > 1 => Value::Map(with(inner, &path[1..], turn)),
                _ => other(turn),
            };
        }
        entry
    };
    map.iter().map(replaced).collect()
}

fn other(turn: usize) -> Value {
    match turn % 6 {
        0 => Value::Bool(true),
        1 => Value::Integer(-7),
        2 => Value::Float(1.5),
        3 => Value::String("\u{e9}:@/[".to_owned()),
        4 => Value::Array(Vec::new()),
        _ => Value::Map(Map::default()),
    }
}
