//! A property of the kernel and the store together: whatever happens between any two steps, the
//! vat is what a simple model of it is, and what an unbroken run with the same answers leaves.
//!
//! A seed makes a program (what the operator asks for, and scripts that objects run), the order in
//! which kernel, worker, disk and operator take their steps, and what goes wrong: turns that fail,
//! budgets, deadlines, workers that die, daemons that end before, in and after a commit.
//!
//! `QRT_MODEL_SEEDS=N` runs N seeds. A failing one is run again with ever fewer asks; the smallest
//! that fails is named, and `QRT_MODEL_SEED=S QRT_MODEL_ASKS=A` runs it alone and prints what happens.
//!
//! - [`machine`]: the one place that knows the kernel's interface, with [`steered`]
//! - [`script`], [`program`]: what objects and the operator do
//! - [`workers`], [`worker`], with [`player`] and [`slot`]: who runs it
//! - [`oracle`], with [`asks`], [`turns`] and [`sim`]: the model
//! - [`disk`]: the whole database, against the model
//! - [`run`], with [`flight`] and [`life`]: a run; [`unbroken`]: the same with nothing going wrong

mod asks;
mod dice;
mod disk;
mod flight;
mod life;
mod machine;
mod oracle;
mod player;
mod program;
mod run;
mod script;
mod sim;
mod slot;
mod steered;
mod turns;
mod unbroken;
mod worker;
mod workers;

use std::env;
use std::panic::catch_unwind;

use run::{Hits, Run};

/// Seeds and asks of a run by default: a few seconds.
const SEEDS: u64 = 64;
const ASKS: u64 = 60;

/// What must have happened in a default run, for it to mean anything.
const MUST_HAPPEN: [&str; 54] = [
    "a day has passed",
    "account made",
    "after a commit",
    "after the daemon's end",
    "an hour or so has passed",
    "ask refused",
    "ask repeated",
    "asked for a page",
    "at rest",
    "call into a large memory",
    "call refused",
    "changes undone",
    "clock set back",
    "commit",
    "daemon died after a commit",
    "daemon died at rest",
    "daemon died before a commit",
    "daemon died in the middle of a step",
    "daemon killed, files as they lay",
    "deadline",
    "edit with turns in flight",
    "fault dropped",
    "fault retried",
    "held messages at rest",
    "key used again",
    "killed by the deadline",
    "killed twice",
    "large memory changed",
    "memory outgrew a delivery",
    "memory taken as left",
    "message refused, counted",
    "message refused, kept as a fault",
    "message sent",
    "object held or released",
    "object removed",
    "operator's message refused",
    "outcomes forgotten",
    "refused message has no room again",
    "refused message retried",
    "report of a turn called back",
    "stale turn",
    "turn failed",
    "turn ok",
    "turn over budget",
    "turn with a call",
    "worker died",
    "worker died in a call",
    "worker died in a turn called back",
    "worker died with nothing to do",
    "worker killed from outside",
    "worker replaced",
    "worker replaced behind a slow turn",
    "worker retired",
    "worker spoilt",
];

/// One seed, checked whole; what happened, and in how many steps.
fn seed(seed: u64, asks: u64, traced: bool) -> (Hits, u64) {
    let mut run = Run::new(seed, traced);
    run.run(asks);
    run.end()
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

#[test]
fn whatever_goes_wrong_the_vat_is_what_the_model_is() {
    let asks = number("QRT_MODEL_ASKS").unwrap_or(ASKS);
    if let Some(alone) = number("QRT_MODEL_SEED") {
        eprintln!("{:#?}", seed(alone, asks, true));
        return;
    }
    let mut all = Hits::new();
    let mut steps = 0;
    let seeds = number("QRT_MODEL_SEEDS").unwrap_or(SEEDS);
    for this in 0..seeds {
        let Ok((hits, taken)) = catch_unwind(|| seed(this, asks, false)) else {
            let smallest = (1..asks).find(|asks| catch_unwind(|| seed(this, *asks, false)).is_err()).unwrap_or(asks);
            panic!("seed {this} fails: QRT_MODEL_SEED={this} QRT_MODEL_ASKS={smallest} runs the least of it alone");
        };
        steps += taken;
        for (what, times) in hits {
            let known = all.entry(what).or_default();
            *known = if what.starts_with("most ") { times.max(*known) } else { times + *known };
        }
    }
    eprintln!("{seeds} seeds, {steps} steps: {all:#?}");
    if seeds >= SEEDS && asks >= ASKS {
        let never: Vec<_> = MUST_HAPPEN.iter().filter(|what| !all.contains_key(**what)).collect();
        assert!(never.is_empty(), "never happened: {never:?}");
    }
}
