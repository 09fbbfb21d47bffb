//! Every rule on every subject it is about.

use super::model::Model;
use super::profile::Profile;
use super::report::{Finding, Report};
use super::rule::{Check, Evidence, Outcome, Rule};
use super::rules;
use crate::conf::Position;

/// What became of one rule.
struct Tally<'r> {
    rule: &'static Rule,
    report: &'r mut Report,
    passed: usize,
    told: usize,
}

impl Tally<'_> {
    fn take(&mut self, subject: &str, at: Option<&Position>, outcome: Outcome) {
        let (evidence, list) = match outcome {
            Outcome::Absent => return,
            Outcome::Pass => {
                self.passed += 1;
                return;
            }
            Outcome::Fail(evidence) => (evidence, &mut self.report.findings),
            Outcome::Unknown(evidence) => (evidence, &mut self.report.unknown),
        };
        self.told += 1;
        let Evidence { value, at: exact } = evidence;
        let at = exact.or_else(|| at.cloned());
        let finding = Finding { rule: self.rule, subject: subject.to_owned(), value, at };
        // A certificate of two listeners is told once, and so is what a block takes over.
        let told = match self.rule.check {
            Check::Tls(_) => list.iter().any(|other| {
                other.rule.id == finding.rule.id
                    && (&other.value, &other.at) == (&finding.value, &finding.at)
            }),
            _ => list.contains(&finding),
        };
        if !told {
            list.push(finding);
        }
    }
}

pub fn run(model: &Model, file: &str, profiles: &[Profile]) -> Report {
    let mut report = Report::new(file, profiles);
    for rule in rules::all().filter(|rule| rule.belongs_to(profiles)) {
        let mut tally = Tally { rule, report: &mut report, passed: 0, told: 0 };
        apply(rule, model, &mut tally);
        let Tally { passed, told, .. } = tally;
        match (told, passed) {
            (0, 0) => report.inapplicable.push(rule),
            (0, _) => report.passed.push(rule),
            _ => {}
        }
    }
    report.sort();
    report
}

fn apply(rule: &Rule, model: &Model, tally: &mut Tally) {
    match rule.check {
        Check::Server(check) => tally.take("server", Some(&model.start), check(model)),
        Check::Endpoint(check) => {
            for endpoint in &model.endpoints {
                tally.take(&endpoint.name, Some(endpoint.at), check(endpoint, model));
            }
        }
        Check::Tls(check) => {
            for block in &model.blocks {
                tally.take(&block.name, Some(block.at), check(block, model));
            }
        }
        Check::Own(check) => {
            for (block, own) in pairs(model) {
                tally.take(&own.name, Some(own.at), check(own, block, model));
            }
        }
        Check::Chain(check) => {
            for (block, own) in pairs(model) {
                let outcome = match &own.chain {
                    Ok(chain) if !chain.is_empty() => check(chain, own, block, model),
                    Ok(_) => Outcome::unknown("no certificate"),
                    Err(error) => Outcome::unknown(error),
                };
                tally.take(&own.name, Some(own.at), outcome);
            }
        }
        Check::Bundle(check) => {
            for block in &model.blocks {
                let (Some((path, at)), Some(bundle)) = (block.ca_file, &block.bundle) else {
                    continue;
                };
                let outcome = match bundle {
                    Ok(certificates) => check(certificates, block, model),
                    Err(error) => Outcome::unknown(error),
                };
                tally.take(path, Some(at), outcome);
            }
        }
        Check::List(check) => {
            for list in &model.lists {
                tally.take(&list.name, Some(list.at), check(list, model));
            }
        }
        Check::Secret(check) => {
            for stored in &model.secrets {
                tally.take(&stored.name, Some(stored.at), check(stored, model));
            }
        }
        Check::User(check) => {
            for user in &model.users {
                tally.take(&user.name, Some(user.at), check(user, model));
            }
        }
        Check::File(check) => {
            for file in &model.files {
                let name = format!("{} {}", file.purpose.name(), file.path.display());
                tally.take(&name, Some(&file.at), check(file, model));
            }
        }
        Check::Host(check) => {
            let outcome = match &model.host {
                Some(host) => check(host),
                None => Outcome::unknown("this machine was not looked at; --host does"),
            };
            tally.take("this machine", None, outcome);
        }
    }
}

fn pairs<'m, 'a>(
    model: &'m Model<'a>,
) -> impl Iterator<Item = (&'m super::tls::Tls<'a>, &'m super::tls::Own<'a>)> {
    model.blocks.iter().flat_map(|block| block.pairs.iter().map(move |own| (block, own)))
}
