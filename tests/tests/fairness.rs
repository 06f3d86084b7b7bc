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

/// Sends to itself for ever, as often as it was told to begin with, so that it always has something queued.
const RESTLESS: &str = "(args, power) => {
    for (let n = 0; n < (args.times || 1); n++) args.me.sendOnly({ me: args.me });
}";

/// Makes as many restless accounts under its own as it is told.
const MAKER: &str = "function (args, power) {
    for (let n = 0; n < args; n++) {
        const me = power.make_account(power.code, {});
        me.sendOnly({ me, times: 10 });
    }
}";

#[test]
fn a_hundred_accounts_made_under_one_have_together_what_it_has() {
    let vat = Scratch::default().vat();
    let power = serde_json::json!({ "code": RESTLESS }).to_string();
    vat.install("maker", MAKER, &["--grant", "make_account", "--power", &power]);
    let lone = vat.install("lone", RESTLESS, &[]);
    vat.result("lone", &format!(r#"{{"me": {{"@qref": "{lone}"}}, "times": 200}}"#));
    vat.result("maker", "100");
    let from = vat.qrt("info", &["--json"]).json()["turns"].as_u64().expect("a number") + 500;
    vat.wait_for_turn(from + 2000);
    let journal = vat.journal();
    let ran = journal.iter().filter(|turn| turn.turn > from && turn.turn <= from + 2000);
    let of_lone = ran.filter(|turn| turn.object.to_string() == lone).count();
    assert!((700..=1300).contains(&of_lone), "half of the turns, as each costs about the same: {of_lone} of 2000");
}
