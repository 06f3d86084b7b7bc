//! One source's flood delays its own.

use qrt_tests::Scratch;

/// Takes a few milliseconds.
const SLOW: &str =
    "function (args, power) { for (let i = 0; i < 300000; i++) {} power.memory.n = (power.memory.n || 0) + 1; }";

const FLOOD: &str = "function (args, power) { for (let n = 0; n < 1000; n++) power.slow.sendOnly(n); }";

#[test]
fn a_neighbours_message_does_not_wait_for_a_flood() {
    let vat = Scratch::default().vat();
    let slow = vat.install("slow", SLOW, &[]);
    vat.install("flood", FLOOD, &["--power", &format!(r#"{{"slow": {{"@qref": "{slow}"}}}}"#)]);
    vat.install("neighbour", "() => 'here'", &[]);
    vat.result("flood", "null");
    assert_eq!(vat.result("neighbour", "null"), "here");
    let left = vat.qrt("info", &["--json"]).json()["inbox"].as_u64().expect("a number");
    assert!(left > 500, "it was answered in the middle of the flood, not behind it: {left} are left");
    vat.wait_for_turn(1002);
    assert_eq!(vat.qrt("memory", &["slow", "--json"]).json()["n"], 1000);
}

#[test]
fn an_object_that_sends_to_itself_for_ever_keeps_nobody_out() {
    let vat = Scratch::default().vat();
    let bomb = "function (args, power) { args.me.sendOnly(args); args.me.sendOnly(args); }";
    let qrid = vat.install("bomb", bomb, &[]);
    vat.install("neighbour", "(args, power) => power.memory.n = (power.memory.n || 0) + 1", &[]);
    vat.result("bomb", &format!(r#"{{"me": {{"@qref": "{qrid}"}}}}"#));
    for n in 1..=20 {
        assert_eq!(vat.result("neighbour", "null"), n);
    }
    let inbox = |vat: &qrt_tests::Vat| vat.qrt("info", &["--json"]).json()["inbox"].as_u64().expect("a number");
    assert!(inbox(&vat) > 0, "the bomb goes on");
    vat.qrt("hold", &["bomb"]).ok();
    let (first, second) = (inbox(&vat), inbox(&vat));
    assert_eq!(first, second, "until it is held");
}
