//! Turns a second of a real vat, next to a floor measured in the same run; and how long a lone message takes.
//!
//! `cargo bench -p qrt-tests --bench turns -- --turns 20000`. Machines and neighbours differ, so
//! the figure to compare is the ratio. Nothing is asserted about time; that every turn was ok and ran
//! exactly once is.
//!
//! All messages of a run are sent by one turn, so they are in the inbox before the first of them runs. The
//! clock starts when that turn is committed.

mod floor;

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use floor::{ARGS, COUNTER};
use qrt_shared::control::{Client, ClientError, Install, InstallObject, Send};
use qrt_shared::view::{Awaited, Outcome};
use qrt_tests::{PATIENCE, Scratch, Vat, roomy};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// Runs of the product and of the floor, alternately.
const RUNS: usize = 3;

/// Lone messages whose time is taken.
const LONE: usize = 200;

/// A counter that can make others like it.
const ACCOUNT: &str = "function (args, power) {
    if (args.make) return Array.from({ length: args.make }, () => power.make_object(args.code, { memory: { count: 0 } }));
    power.memory.count = (power.memory.count || 0) + args.by;
    return power.memory.count;
}";

const STARTER: &str = "function (args, power) {
    const { counters } = power;
    for (let at = 0; at < args.turns; at++) counters[at % counters.length].sendOnly(args.args);
}";

/// Who the messages of a run go to.
struct Shape {
    name: &'static str,
    accounts: u64,
    counters: u64,
    isolation: &'static str,
}

const SHAPES: [Shape; 3] = [
    Shape { name: "1,000 counters of 100 accounts", accounts: 100, counters: 1000, isolation: "shared" },
    Shape { name: "one hot counter", accounts: 1, counters: 1, isolation: "shared" },
    Shape { name: "the first, isolation = account", accounts: 100, counters: 1000, isolation: "account" },
];

/// What the clock saw of the product.
struct Ran {
    per_second: f64,
    per_commit: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == floor::CHILD) {
        return floor::child();
    }
    // Cargo adds `--bench`.
    let turns = args.iter().position(|arg| arg == "--turns").map(|at| args.get(at + 1).map(|text| text.parse()));
    let turns = match turns {
        None => 20_000,
        Some(Some(Ok(turns))) if turns > 0 => turns,
        Some(_) => {
            eprintln!("usage: cargo bench -p qrt-tests --bench turns -- [--turns N]");
            std::process::exit(2);
        }
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    say(&format!("{turns} queued messages a run, {RUNS} runs each in turn, {processors} processors"));
    say(&format!(
        "{:32}{:>10}{:>10}   {:<24}{:>15}",
        "turns a second (medians)", "product", "floor", "ratio min, median, max", "turns a commit"
    ));
    for shape in SHAPES {
        compare(&shape, turns);
    }
    lone();
}

/// Runs product and floor alternately and prints the shape's line.
fn compare(shape: &Shape, turns: u64) {
    let (mut product, mut floor, mut ratios, mut commits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let ran = run_product(shape, turns);
        let scratch = Scratch::default();
        let group = whole(ran.per_commit);
        let took = floor::run(&scratch.path("floor.db"), turns, shape.counters, group);
        let per_second = per(turns, took);
        ratios.push(ran.per_second / per_second);
        product.push(ran.per_second);
        floor.push(per_second);
        commits.push(ran.per_commit);
    }
    for figures in [&mut product, &mut floor, &mut ratios, &mut commits] {
        figures.sort_by(f64::total_cmp);
    }
    let middle = RUNS / 2;
    let ratio = format!("{:.3}, {:.3}, {:.3}", ratios[0], ratios[middle], ratios[RUNS - 1]);
    let (name, product, floor, commits) = (shape.name, product[middle], floor[middle], commits[middle]);
    say(&format!("{name:32}{product:>10.0}{floor:>10.0}   {ratio:<24}{commits:>15.1}"));
}

/// One run of a new vat.
fn run_product(shape: &Shape, turns: u64) -> Ran {
    let isolation = ("isolation", format!("\"{}\"", shape.isolation));
    let vat = Scratch::default().vat_with(&[roomy(turns), vec![isolation]].concat());
    let counters = vat.ask(async |client| make_counters(client, shape).await);
    vat.install("starter", STARTER, &["--power", &json!({ "counters": counters }).to_string()]);
    let before = vat.ask(async |client| client.info().await).turns;
    let order = json!({ "turns": turns, "args": raw(ARGS) });
    vat.ask(async |client| client.send(&message("starter", &order)).await);
    let queued = before + 1;
    vat.wait_for_turn(queued);
    let (first, clock) = (vat.ask(async |client| client.info().await), Instant::now());
    vat.wait_for_turn(queued + turns);
    let (last, took) = (vat.ask(async |client| client.info().await), clock.elapsed());
    check(&vat, before, turns);
    let ran = last.turns - first.turns;
    Ran { per_second: per(ran, took), per_commit: share(ran, last.commit - first.commit) }
}

/// Installs the accounts and has them make the rest; References to all counters.
async fn make_counters(client: &mut Client, shape: &Shape) -> Result<Vec<Value>, ClientError> {
    let object = |_| InstallObject { label: "account".to_owned(), code: ACCOUNT.to_owned(), name: None };
    let install = Install {
        objects: (0..shape.accounts).map(object).collect(),
        memory: Some(raw(r#"{"count":0}"#)),
        power: raw("{}"),
        natives: BTreeMap::from([("make_object".to_owned(), "make_object".to_owned())]),
        budget: qrt_shared::budget::Budget::default(),
        account_budget: qrt_shared::budget::Budget::default(),
    };
    let mut counters = Vec::new();
    for account in client.install(&install).await?.objects {
        let order = json!({ "make": shape.counters / shape.accounts - 1, "code": COUNTER });
        if order["make"] != 0 {
            let made = answer(client, &message(&account.qrid.to_string(), &order)).await?;
            counters.extend(made.as_array().expect("a list").iter().cloned());
        }
        counters.push(json!({ "@qref": account.qrid }));
    }
    assert_eq!(counters.len() as u64, shape.counters);
    Ok(counters)
}

/// Every message that was sent ran once, was ok, and was counted.
fn check(vat: &Vat, before: u64, turns: u64) {
    let mut journal = vat.journal();
    let run = journal.split_off(usize::try_from(before).expect("a few"));
    let (mut sent, mut ran, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
    for turn in &run {
        assert_eq!(turn.outcome, Outcome::Ok, "turn {}: {:?}", turn.turn, turn.error);
        if turn.args.get() == ARGS {
            ran.extend(turn.message);
            let count = counts.entry(turn.object.to_string()).or_insert(0_u64);
            *count += 1;
            assert_eq!(turn.result.get(), count.to_string(), "turn {} counted on", turn.turn);
        } else if turn.name.as_ref().is_some_and(|name| name.to_string() == "starter") {
            sent.extend(turn.sent.iter().copied());
        }
    }
    ran.sort_unstable();
    sent.sort_unstable();
    assert_eq!(ran.len() as u64, turns, "as many ran as were asked for");
    assert!(ran == sent, "what ran is what was sent, each once");
    let info = vat.ask(async |client| client.info().await);
    assert_eq!((info.inbox, info.faults), (0, 0));
}

/// How long one message takes from send to answer when nothing else happens, and one commit.
fn lone() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &["--memory", r#"{"count":0}"#]);
    let product = vat.ask(async |client| {
        let (mut times, message) = (Vec::new(), message("counter", &json!({ "by": 1 })));
        for count in 1..=LONE {
            let started = Instant::now();
            let answer = answer(client, &message).await?;
            times.push(started.elapsed());
            assert_eq!(answer, count);
        }
        Ok(times)
    });
    let scratch = Scratch::default();
    let db = floor::create(&scratch.path("floor.db"));
    let commit = |number| {
        let started = Instant::now();
        floor::queue(&db, number);
        started.elapsed()
    };
    let floor = (0..LONE).map(commit).collect();
    say(&format!("\n{:32}{:>10}{:>10}", "a lone message, ms", "p50", "p99"));
    for (name, times) in [("product: send and answer", product), ("floor: one commit of one row", floor)] {
        let [half, most] = percentiles(times);
        say(&format!("{name:32}{half:>10.2}{most:>10.2}"));
    }
}

/// The median and the 99th of a hundred, in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0)
}

/// Sends a message and waits for its turn, which must be ok; its result.
async fn answer(client: &mut Client, message: &Send) -> Result<Value, ClientError> {
    let name = client.send(message).await?.message;
    loop {
        match client.outcome(name, PATIENCE / 12).await? {
            Awaited::Queued => {}
            Awaited::Ended(ended) => {
                assert_eq!(ended.outcome, Outcome::Ok, "{:?}", ended.error);
                return Ok(serde_json::from_str(ended.result.get()).expect("JSON"));
            }
            Awaited::Acked | Awaited::Unknown => panic!("the vat forgot {name}"),
        }
    }
}

fn message(target: &str, args: &Value) -> Send {
    let args = to_raw_value(args).expect("JSON");
    Send { target: target.parse().expect("an object"), args, key: None }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}

fn per(turns: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody measures 2^53 turns")]
    let turns = turns as f64;
    turns / took.as_secs_f64()
}

fn share(turns: u64, commits: u64) -> f64 {
    per(turns, Duration::from_secs(commits))
}

fn whole(figure: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, rounded")]
    let whole = figure.round() as u64;
    whole.max(1)
}

fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody listens");
}
