//! What a vat's size costs: how long it takes to start with a million objects and with ten, how long lists take, and
//! how long a message waits when somebody else has a hundred thousand queued.
//!
//! `cargo bench -p qrt-tests --bench scale -- --objects 1000000 --turns 100000`. The figures to compare are
//! those next to each other; nothing is asserted about time.

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use qrt_shared::control::{Listing, Send};
use qrt_shared::view::{Awaited, ObjectRow, Outcome};
use qrt_tests::{PATIENCE, Scratch, Vat, roomy};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

/// Starts of each vat, alternately.
const STARTS: usize = 7;

/// Lone messages whose time is taken.
const LONE: usize = 100;

/// Makes as many objects as it is told.
const MAKER: &str = "function (n, power) {
    for (let made = 0; made < n; made++) power.make_object('(args, power) => power.memory.n = args', { memory: { n: made } });
}";

/// Sends as many messages as it is told to one object.
const FLOOD: &str = "function (n, power) { for (let sent = 0; sent < n; sent++) power.counter.sendOnly({ by: 1 }); }";

const COUNTER: &str = "function (args, power) { return power.memory.count = (power.memory.count || 0) + args.by; }";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (objects, turns) = (number(&args, "--objects", 1_000_000), number(&args, "--turns", 100_000));
    start_up(objects);
    [10, 10_000, objects].into_iter().for_each(lists);
    delay(turns);
}

/// A vat with so many objects.
fn vat_of(objects: u64) -> Vat {
    let vat = Scratch::default().vat();
    vat.install("maker", MAKER, &[]);
    let mut left = objects - 1;
    while left > 0 {
        let part = left.min(1000);
        vat.ask(async |client| client.send(&message("maker", &json!(part))).await);
        left -= part;
    }
    vat.wait_for_turn((objects - 1).div_ceil(1000));
    assert_eq!(vat.qrt("info", &["--json"]).json()["objects"], objects);
    vat
}

/// Questions whose time is taken, of each kind.
const ASKED: usize = 21;

/// How long pages of lists take, and the overview: when it is asked for the first time, and in the middle.
fn lists(objects: u64) {
    let vat = vat_of(objects);
    let of = |listing: &Listing| listing.path::<ObjectRow>();
    let by = |sort: &str| of(&Listing { sort: Some(sort.into()), limit: Some(50), ..Listing::default() });
    let filter = |filter: &str| of(&Listing { filter: filter.into(), ..Listing::default() });
    let middle = Listing { limit: Some(50), ..Listing::after(objects / 2) };
    say(&format!("{objects} objects: ms of the first answer, and of the middle one of {ASKED}"));
    for (what, path) in [
        ("50 rows from the start", of(&Listing { limit: Some(50), ..Listing::default() })),
        ("50 rows from the middle", of(&middle)),
        ("50 rows from the end", of(&Listing::last(50))),
        ("500 rows", of(&Listing::default())),
        ("filter, one fits", filter("maker")),
        ("filter, none fits", filter("no-id-has-a-dash")),
        ("sort by name", by("name")),
        ("sort by turns", by("turns")),
        ("sort by memory", by("memory")),
        ("sort by least memory", by("-memory")),
        ("sort by queue", by("queue")),
        ("overview", "/v1/overview".to_owned()),
        ("storage", "/v1/storage".to_owned()),
    ] {
        let times: Vec<_> = (0..ASKED)
            .map(|_| {
                let started = Instant::now();
                vat.ask(async |client| client.call::<Value>("GET", &path, None::<&()>).await);
                started.elapsed()
            })
            .collect();
        let first = times[0].as_secs_f64() * 1000.0;
        let [half, _] = percentiles(times);
        say(&format!("  {what:26}{first:>10.2}{half:>10.2}"));
    }
}

fn start_up(objects: u64) {
    let vats = [vat_of(10), vat_of(objects)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (vat, times) in vats.iter().zip(&mut times) {
            vat.qrt("stop", &[]).ok();
            let started = Instant::now();
            vat.start();
            vat.ask(async |client| client.info().await);
            times.push(started.elapsed());
        }
    }
    let [few, many] = times.map(|times| percentiles(times)[0]);
    say(&format!(
        "start until it answers, ms: {few:.1} with 10 objects, {many:.1} with {objects}; ratio {:.2}",
        many / few
    ));
}

fn delay(turns: u64) {
    let vat = Scratch::default().vat_with(&roomy(turns));
    let counter = vat.install("counter", COUNTER, &[]);
    vat.install("flood", FLOOD, &["--power", &json!({ "counter": { "@qref": counter } }).to_string()]);
    vat.install("lone", COUNTER, &[]);
    let idle = lone(&vat);
    vat.ask(async |client| client.send(&message("flood", &json!(turns))).await);
    vat.wait_for_turn(LONE as u64 + 1);
    let busy = lone(&vat);
    let left = vat.ask(async |client| client.info().await).inbox;
    assert!(left > 0, "the flood was over before the last lone message");
    for (what, times) in [("nobody else has anything queued", idle), ("another source has a flood queued", busy)] {
        let [half, most] = percentiles(times);
        say(&format!("a lone message, ms, when {what}: p50 {half:.2}, p99 {most:.2}"));
    }
    say(&format!("(of {turns} messages of the flood {left} were left)"));
}

/// How long lone messages take, one after the other, from send to answer.
fn lone(vat: &Vat) -> Vec<Duration> {
    vat.ask(async |client| {
        let message = message("lone", &json!({ "by": 1 }));
        let mut times = Vec::new();
        for _ in 0..LONE {
            let started = Instant::now();
            let name = client.send(&message).await?.message;
            loop {
                match client.outcome(name, PATIENCE / 12).await? {
                    Awaited::Queued => {}
                    Awaited::Ended(ended) => break assert_eq!(ended.outcome, Outcome::Ok),
                    other => panic!("{name}: {other:?}"),
                }
            }
            times.push(started.elapsed());
        }
        Ok(times)
    })
}

fn message(target: &str, args: &Value) -> Send {
    let args = to_raw_value(args).expect("JSON");
    Send { target: target.parse().expect("an object"), args, key: None }
}

/// The median and the 99th of a hundred, in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0)
}

fn number(args: &[String], name: &str, default: u64) -> u64 {
    let value = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    value.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}

fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody listens");
}
