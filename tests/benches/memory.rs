//! What a turn pays for a large memory: turns a second on one of a million keys, and of ten.
//!
//! `cargo bench -p qrt-tests --bench memory -- --turns 20000 --keys 1000000`. Machines and neighbours
//! differ, so the figure to compare is the ratio of runs next to each other. Nothing is asserted about
//! time; what the turns left is.
//!
//! All messages of a run are sent by one turn, so they are in the inbox before the first of them runs. The
//! clock starts when that turn is committed.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use qrt_shared::control::{Install, InstallObject, Listing, Send};
use qrt_shared::view::{Awaited, Outcome, Turn};
use qrt_tests::{PATIENCE, Scratch, Vat, roomy};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// Runs of each kind, alternately.
const RUNS: usize = 3;

/// Adds one to a key of its memory, which its message names.
const COUNTER: &str = "function ({ key }, { memory }) { memory[key] = (memory[key] || 0) + 1; }";

/// As `COUNTER`, but the message names no key, so the worker has to ask for it.
const ASKING: &str = "function ({ n }, { memory }) { const key = 'k' + n; memory[key] = (memory[key] || 0) + 1; }";

/// Spreads over the keys by multiplying with a prime that no number of keys here is a multiple of.
const STARTER: &str = "function (args, power) {
    for (let at = 0; at < args.turns; at++) {
        const n = (at * 7919 + 17) % args.keys;
        power.counter.sendOnly({ key: 'k' + n, n });
    }
}";

/// How much one turn does in the engine, and how often.
const TOUCHES: &str = "function ({ times, write, key }, { memory }) {
    if (write) { for (let n = 0; n < times; n++) memory[key] = n; return; }
    let sum = 0;
    for (let n = 0; n < times; n++) sum += memory[key];
}";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (turns, keys) = (number(&args, "--turns", 20_000), number(&args, "--keys", 1_000_000));
    say(&format!("{turns} queued messages a run, {RUNS} runs each in turn"));
    say(&format!(
        "{:36}{:>10}{:>10}   ratio min, median, max",
        "turns a second (medians)",
        "10 keys",
        format!("{keys} keys")
    ));
    compare("the message names the key", COUNTER, turns, keys);
    compare("the worker asks for the key", ASKING, turns, keys);
    touches(keys.min(10_000));
}

fn number(args: &[String], name: &str, otherwise: u64) -> u64 {
    let Some(at) = args.iter().position(|arg| arg == name) else { return otherwise };
    args.get(at + 1).and_then(|text| text.parse().ok()).filter(|number| *number > 0).unwrap_or_else(|| {
        eprintln!("usage: cargo bench -p qrt-tests --bench memory -- [--turns N] [--keys N]");
        std::process::exit(2)
    })
}

/// Runs both sizes alternately and prints their line.
fn compare(name: &str, code: &str, turns: u64, keys: u64) {
    let (mut few, mut many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let pair = (run(code, turns, 10), run(code, turns, keys));
        few.push(pair.0);
        many.push(pair.1);
        ratios.push(pair.0 / pair.1);
    }
    for figures in [&mut few, &mut many, &mut ratios] {
        figures.sort_by(f64::total_cmp);
    }
    let middle = RUNS / 2;
    let ratio = format!("{:.2}, {:.2}, {:.2}", ratios[0], ratios[middle], ratios[RUNS - 1]);
    say(&format!("{name:36}{:>10.0}{:>10.0}   {ratio}", few[middle], many[middle]));
}

/// A vat with an object whose memory has that many keys, each 0.
fn vat_with(code: &str, keys: u64, turns: u64) -> (Vat, String) {
    let vat = Scratch::default().vat_with(&roomy(turns));
    let memory: Vec<_> = (0..keys).map(|n| format!("\"k{n}\":0")).collect();
    let install = Install {
        objects: vec![InstallObject { label: "counter".to_owned(), code: code.to_owned(), name: None }],
        memory: Some(raw(&format!("{{{}}}", memory.join(",")))),
        power: raw("{}"),
        natives: BTreeMap::new(),
        budget: qrt_shared::budget::Budget::default(),
        account_budget: qrt_shared::budget::Budget::default(),
    };
    let qrid = vat.ask(async |client| client.install(&install).await).objects[0].qrid.to_string();
    (vat, qrid)
}

/// Turns a second of one run of a new vat.
fn run(code: &str, turns: u64, keys: u64) -> f64 {
    let (vat, counter) = vat_with(code, keys, turns);
    vat.install("starter", STARTER, &["--power", &json!({ "counter": { "@qref": counter } }).to_string()]);
    let before = vat.ask(async |client| client.info().await).turns;
    let order = json!({ "turns": turns, "keys": keys });
    vat.ask(async |client| client.send(&message("starter", &order)).await);
    vat.wait_for_turn(before + 1);
    let (first, clock) = (vat.ask(async |client| client.info().await).turns, Instant::now());
    vat.wait_for_turn(before + 1 + turns);
    let took = clock.elapsed();
    let info = vat.ask(async |client| client.info().await);
    assert_eq!((info.inbox, info.faults), (0, 0));
    let target = counter.parse().expect("a QRID");
    let memory = vat.ask(async |client| client.memory(&target).await);
    let memory: BTreeMap<String, u64> = serde_json::from_str(memory.get()).expect("counts");
    assert_eq!(memory.values().sum::<u64>(), turns, "each turn added one");
    per(info.turns - first, took)
}

/// What reading and writing one property costs in the worker, by the CPU time of a turn that does it often.
fn touches(keys: u64) {
    const TIMES: u64 = 1_000_000;
    say(&format!("\n{:36}{:>10}{:>10}", "one property, ns", "plain", "large"));
    for write in [false, true] {
        let cost = |keys: u64| {
            let (vat, qrid) = vat_with(TOUCHES, keys, 1);
            let mut costs: Vec<_> = (0..RUNS)
                .map(|_| {
                    let order = json!({ "times": TIMES, "write": write, "key": "k7" });
                    let turn = vat.ask(async |client| {
                        let name = client.send(&message(&qrid, &order)).await?.message;
                        loop {
                            match client.outcome(name, PATIENCE / 12).await? {
                                Awaited::Queued => {}
                                Awaited::Ended(ended) => {
                                    assert_eq!(ended.outcome, Outcome::Ok, "{:?}", ended.error);
                                    return client.list::<Turn>(&Listing::last(1)).await;
                                }
                                Awaited::Acked | Awaited::Unknown => panic!("the vat forgot {name}"),
                            }
                        }
                    });
                    per(turn.items[0].cpu_us * 1000, Duration::from_secs(TIMES))
                })
                .collect();
            costs.sort_by(f64::total_cmp);
            costs[RUNS / 2]
        };
        let name = if write { "written" } else { "read" };
        say(&format!("{name:36}{:>10.0}{:>10.0}", cost(10), cost(keys)));
    }
}

fn message(target: &str, args: &Value) -> Send {
    let args = to_raw_value(args).expect("JSON");
    Send { target: target.parse().expect("an object"), args, key: None }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}

fn per(count: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody measures 2^53 turns")]
    let count = count as f64;
    count / took.as_secs_f64()
}

fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody listens");
}
