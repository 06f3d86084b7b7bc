//! A turn that is run again from the same inputs comes out the same to the byte: in another process, after other
//! turns, in another order.

use std::collections::BTreeMap;

use qrt_tests::{Lone, Scratch, on_engine_stack};
use qrtd::protocol::Report;

use super::fuzz;

const OBSERVATIONS: &str = include_str!("repeat.js");

/// How many programs there are.
const PROGRAMS: u32 = 300;

/// The report but for the time it took, and its ticks: the engine's counter goes on where the turn before left it.
fn text(report: Report) -> String {
    serde_json::to_string(&Report { cpu_us: 0, ticks: 0, ..report }).expect("a report")
}

/// Runs all programs in this order, in an engine that is replaced as the daemon does it.
fn run(order: impl Iterator<Item = u32>) -> BTreeMap<u32, String> {
    let mut lone = Lone::default();
    let reports = order.map(|number| {
        if lone.is_spent() {
            lone = Lone::default();
        }
        let report = if number.is_multiple_of(2) {
            lone.code(1, OBSERVATIONS);
            lone.run(
                1,
                &format!(r#"{{"seed":{}}}"#, number * 7919 + 1),
                &[("b".into(), "1".into()), ("a".into(), "2".into())],
            )
        } else {
            lone.code(2, &fuzz::program_that_tells(number.into()));
            lone.run(2, "null", &[])
        };
        (number, text(report))
    });
    reports.collect()
}

#[test]
fn a_turn_comes_out_the_same_in_another_engine_after_other_turns() {
    let forwards = on_engine_stack(|| run(0..PROGRAMS));
    let backwards = on_engine_stack(|| run((0..PROGRAMS).rev()));
    for (number, report) in &forwards {
        let other = &backwards[number];
        let at = report.bytes().zip(other.bytes()).position(|(one, other)| one != other);
        let near = |text: &str, at: usize| {
            String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(200)..(at + 200).min(text.len())]).into_owned()
        };
        assert!(report == other, "program {number}: {:?}", at.map(|at| [near(report, at), near(other, at)]));
    }
    let told = forwards.values().filter(|report| report.contains(r#""Ok":"#) && report.len() > 300).count();
    assert!(told > PROGRAMS as usize / 2, "most of them tell something: {told}");
}

#[test]
fn a_turn_comes_out_the_same_in_another_process() {
    // The clock and chance are the vat's, and no part of it.
    let code = OBSERVATIONS.replace("say(() => power.clock() + power.random(8) + power.random(8));", "");
    let runs = [0, 1].map(|_| {
        let vat = Scratch::default().vat();
        let object = vat.object(&code);
        let results: Vec<_> =
            (0..10).map(|seed| object.text(&format!(r#"{{"seed":{}}}"#, seed * 104_729 + 1))).collect();
        (results, object.memory(), object.turns(9).into_iter().map(|turn| turn.log).collect::<Vec<_>>())
    });
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].0.iter().all(|result| result.len() > 5000), "it tells a lot");
}
