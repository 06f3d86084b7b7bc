//! What watching costs: turns a second with ten watchers, next to none, in the same run.
//!
//! `cargo bench -p qrt-tests --bench watch -- --turns 50000`. A watcher does what a console does: it hears the events,
//! and asks each second for the overview and for a list. The figure to compare is the ratio: the machine is what it is.

use std::io::{Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use qrt_shared::control::{Client, ClientError, Listing, Send};
use qrt_shared::view::{ObjectRow, Turn};
use qrt_tests::{Scratch, roomy};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

/// Runs without watchers and with them, alternately.
const RUNS: usize = 5;

/// Those who watch.
const WATCHERS: usize = 10;

/// Counters whose turns are counted.
const COUNTERS: u64 = 100;

const MAKER: &str = "function (args, power) {
    if (args.make) {
        power.memory.counters = [];
        for (let n = 0; n < args.make; n++) power.memory.counters.push(power.make_object(args.code, { memory: {} }));
    } else {
        const { counters } = power.memory;
        for (let n = 0; n < args.turns; n++) counters[n % counters.length].sendOnly({ by: 1 });
    }
}";

const COUNTER: &str = "function (args, power) { power.memory.count = (power.memory.count || 0) + args.by; }";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let turns = args.iter().position(|arg| arg == "--turns").and_then(|at| args.get(at + 1));
    let turns = turns.map_or(50_000, |text| text.parse().expect("--turns takes a number"));
    let (mut alone, mut watched, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        // Whoever is first in a run has the colder machine.
        let (first, second) = (run % 2 == 0, run % 2 == 1);
        let (one, other) = (per_second(turns, first), per_second(turns, second));
        let (with, without) = if first { (one, other) } else { (other, one) };
        alone.push(without);
        watched.push(with);
        ratios.push(with / without);
    }
    for figures in [&mut alone, &mut watched, &mut ratios] {
        figures.sort_by(f64::total_cmp);
    }
    let middle = RUNS / 2;
    let line = format!(
        "{turns} turns, medians of {RUNS} runs: {:.0} a second alone, {:.0} with {WATCHERS} watchers; \
         ratio min, median, max: {:.3}, {:.3}, {:.3}",
        alone[middle],
        watched[middle],
        ratios[0],
        ratios[middle],
        ratios[RUNS - 1]
    );
    writeln!(stdout(), "{line}").expect("somebody listens");
}

/// Turns a second of a new vat, with watchers or without.
fn per_second(turns: u64, watched: bool) -> f64 {
    let vat = Scratch::default().vat_with(&roomy(turns));
    vat.install("maker", MAKER, &[]);
    vat.send("maker", &json!({ "make": COUNTERS, "code": COUNTER }).to_string());
    let over = Arc::new(AtomicBool::new(false));
    let heard = Arc::new(AtomicU64::new(0));
    let watchers: Vec<_> = (0..if watched { WATCHERS } else { 0 })
        .map(|number| {
            let (dir, over, heard) = (vat.dir().to_owned(), Arc::clone(&over), Arc::clone(&heard));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(watch(&dir, number, &over, &heard)).expect("it watches to the end");
            })
        })
        .collect();
    vat.ask(async |client| client.send(&message(&json!({ "turns": turns }))).await);
    vat.wait_for_turn(2);
    let started = Instant::now();
    vat.wait_for_turn(2 + turns);
    let took = started.elapsed();
    over.store(true, Ordering::Relaxed);
    for watcher in watchers {
        watcher.join().expect("no panic");
    }
    assert!(!watched || heard.load(Ordering::Relaxed) > WATCHERS as u64, "they heard of what went on");
    #[expect(clippy::cast_precision_loss, reason = "a few thousand turns")]
    let turns = turns as f64;
    turns / took.as_secs_f64()
}

/// Watches until it is over.
async fn watch(dir: &std::path::Path, number: usize, over: &AtomicBool, heard: &AtomicU64) -> Result<(), ClientError> {
    let mut events = Client::open(dir).await?.events().await?;
    let mut client = Client::open(dir).await?;
    let mut ask = tokio::time::interval(Duration::from_secs(1));
    while !over.load(Ordering::Relaxed) {
        tokio::select! {
            event = events.next() => {
                assert!(event?.is_some(), "a watcher that listens is not cut off");
                heard.fetch_add(1, Ordering::Relaxed);
            }
            _ = ask.tick() => {
                client.overview().await?;
                if number.is_multiple_of(2) {
                    client.list::<Turn>(&Listing::last(50)).await?;
                } else {
                    let busiest = Listing { sort: Some("cpu".into()), limit: Some(50), ..Listing::default() };
                    client.list::<ObjectRow>(&busiest).await?;
                }
            }
        }
    }
    Ok(())
}

fn message(args: &Value) -> Send {
    Send { target: "maker".parse().expect("a name"), args: to_raw_value(args).expect("JSON"), key: None }
}
