//! `qrt replay`: a recorded turn does the same again, and shows what other inputs would have done.

use std::collections::BTreeMap;

use qrt_shared::control::{At, ClientError, Listing, Problem, Replay, Upgrade};
use qrt_shared::view::{Outcome, Part, Replayed, Turn};
use qrt_tests::{Grant, Scratch, Vat};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Does what its messages say.
const ACTOR: &str = include_str!("actor.js");

/// Sends what it is told to, all in one turn, so that the turns that follow are in flight together.
const SENDER: &str = "({ each }) => { for (const [to, message] of each) to.sendOnly(message) }";

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("JSON")
}

#[track_caller]
fn again(vat: &Vat, turn: u64, replay: &Replay) -> Replayed {
    vat.ask(async |client| client.replay(turn, replay).await)
}

#[track_caller]
fn refused(vat: &Vat, turn: u64, replay: &Replay) -> Problem {
    vat.ask(async |client| match client.replay(turn, replay).await {
        Err(ClientError::Refused(problem)) => Ok(problem),
        other => panic!("it must be refused: {other:?}"),
    })
}

/// Numbers to choose by, the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).expect("few")]
    }
}

/// Something to do, chosen by `dice`, among objects with these References.
fn deed(dice: &mut Dice, others: &[Value]) -> Value {
    let key = format!("k{}", dice.below(12));
    let other = dice.one(others).clone();
    match dice.below(24) {
        0 => json!(["set", key, { "n": dice.below(9), "to": other, "@@at": [1.5, "é", null] }]),
        1 => json!(["set", dice.below(20).to_string(), dice.below(1000)]),
        2 => json!(["drop", key]),
        3 => json!(["move", key]),
        4 => json!(["push", "list", dice.below(100)]),
        5 => json!(["keys"]),
        6 => json!(["clock"]),
        7 => json!(["random", dice.below(40) + 1]),
        8 => json!(["log", "line", dice.below(9), other]),
        9 | 10 => json!(["send", other, { "do": [["count", key]] }]),
        11 | 12 => json!(["call", other, { "do": [["count", key], ["log", "called"]] }]),
        13 => json!(["make", ACTOR, { "first": other }, dice.below(2) == 0]),
        14 => json!(["account", "(args, power) => { power.log(args); return power.memory.n }"]),
        15 => json!(["job", key]),
        16 if dice.below(3) == 0 => json!(["throw", "on purpose"]),
        17 if dice.below(3) == 0 => json!(["reject", "in a job"]),
        18 => json!(["spin", dice.below(40_000)]),
        19 if dice.below(3) == 0 => json!(["bad"]),
        20 => json!(["odd"]),
        21 => json!(["stack"]),
        22 if dice.below(3) == 0 => json!(["function"]),
        _ => json!(["count", key]),
    }
}

#[test]
fn thousands_of_turns_of_varied_objects_do_the_same_again() {
    let settings = [("journal.turns", "50000"), ("turn.messages", "5000"), ("turn.bytes", "60000000")];
    let vat = Scratch::default().vat_with(&settings);
    let actors: Vec<_> = (0..6).map(|_| vat.object(ACTOR)).collect();
    // Beyond what travels with a message, so that turns ask for it by key.
    let large: BTreeMap<String, Value> =
        (0..900).map(|n| (format!("k{n}"), json!({ "n": n, "x": "y".repeat(20) }))).collect();
    let large = json!(large).to_string();
    let large: Vec<_> =
        (0..2).map(|_| vat.object_with(ACTOR, &Grant { memory: Some(&large), ..Grant::default() })).collect();
    let bare = vat.object_with(ACTOR, &Grant { memory: None, ..Grant::default() });
    let all: Vec<_> = actors.iter().chain(&large).chain([&bare]).collect();
    let references: Vec<Value> =
        all.iter().map(|object| serde_json::from_str(&object.reference()).expect("JSON")).collect();
    let sender = vat.object(SENDER);
    let mut dice = Dice(7);
    for round in 0..16 {
        let each: Vec<_> = (0..120)
            .map(|_| {
                let to = dice.one(&references).clone();
                let deeds: Vec<_> = (0..=dice.below(3)).map(|_| deed(&mut dice, &references)).collect();
                json!([to, { "do": deeds, "me": to }])
            })
            .collect();
        sender.queue(&json!({ "each": each }).to_string());
        // In the middle of what is queued: upgrades, edits, and an object that cannot be called for a while.
        let (one, other) = (dice.one(&all).qrid.clone(), dice.one(&all).qrid.clone());
        let code =
            vat.scratch.file("next.js", &ACTOR.replacen("const seen = []", &format!("const seen = [{round}]"), 1));
        vat.qrt("upgrade", &[&one, code.to_str().expect("UTF-8")]).ok();
        if other != bare.qrid {
            vat.qrt("memory-set", &[&other, &format!("k{round}"), &round.to_string()]).ok();
        }
        vat.qrt(if round % 2 == 0 { "hold" } else { "release" }, &[&all[round / 2 % all.len()].qrid]).ok();
    }
    for object in &all {
        vat.qrt("release", &[&object.qrid]).ok();
    }
    vat.ask(async |client| {
        while client.info().await?.inbox > 0 {
            let last = client
                .list::<Turn>(&Listing { at: At::Last, limit: Some(1), ..Listing::default() })
                .await?
                .items
                .first()
                .map_or(0, |turn| turn.turn);
            client.turns(None, last, std::time::Duration::from_secs(1)).await?;
        }
        Ok(())
    });
    let journal = vat.journal();
    let turns: Vec<_> = journal.iter().filter(|turn| turn.edit.is_none()).collect();
    // As many at a time as the daemon runs.
    std::thread::scope(|scope| {
        for half in turns.chunks(turns.len().div_ceil(2)) {
            let vat = &vat;
            scope.spawn(move || {
                for turn in half {
                    let again = again(vat, turn.turn, &Replay::default());
                    assert!(again.equal, "turn {}: {again:#?}\nof {turn:#?}", turn.turn);
                    assert_eq!(again.notes, [""; 0], "turn {}", turn.turn);
                }
            });
        }
    });
    let mut outcomes = BTreeMap::new();
    for turn in &turns {
        *outcomes.entry(turn.outcome.as_str()).or_insert(0) += 1;
    }
    let count = |has: fn(&&Turn) -> bool| journal.iter().filter(has).count();
    eprintln!("{} turns: {outcomes:?}", turns.len());
    assert!(turns.len() > 2000 && outcomes["error"] > 30, "{outcomes:?}");
    assert!(count(|turn| !turn.made.is_empty()) > 30 && count(|turn| !turn.log.is_empty()) > 100);
    assert!(count(|turn| turn.changes.iter().any(|change| change.object != turn.object)) > 30, "by call");
    assert_eq!(vat.journal().len(), journal.len(), "nothing of it is in the journal");
    assert_eq!(vat.ask(async |client| client.info().await).inbox, 0, "nothing was sent");
}

/// Counts, and says what it is given.
const COUNTER: &str = "function (args, power) {
    power.memory.n = (power.memory.n || 0) + args;
    power.log('now', power.memory.n);
    return power.memory.n;
}";

#[test]
fn other_inputs_show_what_would_have_come_of_the_turn_and_nothing_comes_of_it() {
    let vat = Scratch::default().vat();
    let counter = vat.object(COUNTER);
    for n in [1, 2, 3] {
        counter.text(&n.to_string());
    }
    let with = |replay: Replay| again(&vat, 2, &replay);
    let args = with(Replay { args: Some(raw(&json!(40))), ..Replay::default() });
    assert_eq!((args.equal, &args.replaced[..], args.replayed.result.get()), (false, &["args".to_owned()][..], "41"));
    let parts: Vec<_> = args.differences.iter().map(|difference| difference.part).collect();
    assert_eq!(parts, [Part::Result, Part::Memory, Part::Log]);
    let memory = &args.differences[1];
    assert_eq!(memory.which, format!("{} n", counter.qrid));
    let text = |value: &Option<Box<RawValue>>| value.as_ref().expect("a value").get().to_owned();
    assert_eq!((text(&memory.recorded), text(&memory.replayed)), ("3".to_owned(), "41".to_owned()));
    let memory = with(Replay { memory: Some(raw(&json!({ "n": 100 }))), ..Replay::default() });
    assert_eq!(memory.replayed.result.get(), "102");
    let label = "new.js".to_owned();
    let code = "(args, power) => { power.memory.m = power.make_object('() => 7', {}); power.memory.m.sendOnly(args); throw 1 }";
    let code =
        with(Replay { code: Some(Upgrade { label: label.clone(), code: code.to_owned() }), ..Replay::default() });
    assert_eq!(code.replayed.outcome, Outcome::Error);
    assert!(code.replayed.made.is_empty() && code.replayed.sent.is_empty(), "a failed turn did nothing");
    let code = "(args, power) => { const o = power.make_object('() => 7', { n: 1 }); o.sendOnly(args); return [o, power.random(2)] }";
    let code =
        with(Replay { code: Some(Upgrade { label: label.clone(), code: code.to_owned() }), ..Replay::default() });
    assert_eq!((code.replayed.made.len(), code.replayed.sent.len(), code.notes.len()), (1, 1, 1));
    assert_eq!(code.replayed.made[0].object, code.replayed.sent[0].target);
    assert!(code.replayed.result.get().contains("/aaaaaaaa"), "it has no id: {}", code.replayed.result);
    let bad =
        refused(&vat, 2, &Replay { code: Some(Upgrade { label, code: "function (".to_owned() }), ..Replay::default() });
    assert!(bad.error.starts_with("new.js:1:"), "{}", bad.error);
    assert_eq!((counter.memory(), vat.journal().len()), (r#"{"n":6}"#.to_owned(), 3), "nothing came of it");
    let shown = vat.qrt("replay", &["2", "--args", "40"]).ok();
    assert!(shown.contains("recorded: 3\n    replayed: 41\n"), "{shown}");
    assert!(vat.qrt("replay", &["2"]).ok().contains("run again: the same came of it"));
}

#[test]
fn whatever_has_a_client_of_http_can_replay() {
    let vat = Scratch::default().vat();
    vat.object(COUNTER).text("1");
    let socket = vat.dir().join("control.sock");
    let ran = std::process::Command::new("curl")
        .args(["-s", "--unix-socket", socket.to_str().expect("UTF-8"), "-d", r#"{"args":5}"#])
        .arg("http://vat/v1/turns/1/replay")
        .output()
        .expect("curl runs");
    let replayed: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((&replayed["equal"], &replayed["replayed"]["result"]), (&json!(false), &json!(5)));
}

#[test]
fn a_turn_that_cannot_run_again_says_why() {
    let vat = Scratch::default().vat();
    let (gone, caller) =
        (vat.object(COUNTER), vat.object("(to) => { try { return to.call(1) } catch (e) { return String(e) } }"));
    caller.text(&gone.reference());
    vat.qrt("memory-set", &[&gone.qrid, "n", "5"]).ok();
    assert!(refused(&vat, 2, &Replay::default()).error.contains("is an operator's memory-set"));
    assert!(refused(&vat, 9, &Replay::default()).error.contains("the journal has no turn 9"));
    assert!(again(&vat, 1, &Replay::default()).equal);
    vat.qrt("remove", &[&gone.qrid, "--yes"]).ok();
    let error = refused(&vat, 1, &Replay::default()).error;
    assert!(error.contains(&gone.qrid) && error.contains("was removed since"), "{error}");
    caller.text(&gone.reference());
    assert!(again(&vat, 3, &Replay::default()).equal, "what could not be called then cannot now");
}

#[test]
fn what_ends_a_turn_ends_its_replay_and_nobody_else_notices() {
    let vat = Scratch::default().vat_with(&[("turn.cpu_ms", "400"), ("turn.ticks", "200"), ("turn.messages", "10")]);
    let hog = vat.object(
        "function (how, power) {
        if (how === 'spin') for (;;) ;
        if (how === 'late') for (;;) 'x'.repeat(1 << 20).lastIndexOf('y'.repeat(1 << 19) + 'z');
        if (how === 'deep') { const f = () => f(); f(); }
    }",
    );
    let small = vat.qrt(
        "install",
        &[
            vat.scratch.file("small.js", "(n, power) => { power.memory.x = 'x'.repeat(n) }").to_str().expect("UTF-8"),
            "--name",
            "small",
            "--budget",
            "stored=1KiB",
        ],
    );
    small.ok();
    for how in ["spin", "late"] {
        hog.killed(&json!(how).to_string());
    }
    hog.error(r#""deep""#);
    assert_eq!(vat.send("small", "5000")["outcome"], "killed");
    let counter = vat.object(COUNTER);
    let info = |vat: &Vat| vat.ask(async |client| client.info().await).worker.expect("a worker");
    let deaths = info(&vat).deaths;
    let journal = vat.journal();
    for turn in &journal {
        let again = again(&vat, turn.turn, &Replay::default());
        assert!(again.equal, "{again:#?}\nof {turn:#?}");
        assert_eq!(counter.result("1"), turn.turn, "others go on");
    }
    assert_eq!(info(&vat).deaths, deaths, "no worker that counts died of it");
    assert!(hog.view().held_why.is_none());
}
