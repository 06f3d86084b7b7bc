//! Messages a second between two vats on this machine, next to a floor measured in the same run.
//!
//! `cargo bench -p qrt-tests --bench peers -- --messages 20000`. Machines and neighbours differ, so the
//! figure to compare is the ratio. Nothing is asserted about time; that every message arrived and ran once is.
//!
//! All messages of a run are sent by one turn, so they are in the outbox before the first of them is due:
//! the channel is held until then. The object they are for is held too, so that what is measured is delivery:
//! sealed, sent, opened, committed, acknowledged. Then it is released, and its turns are timed.

#[path = "floor/post.rs"]
mod floor;

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use qrt_shared::id::{MessageName, PeerName};
use qrt_shared::view::Awaited;
use qrt_tests::{PATIENCE, Scratch, Vat, roomy};
use serde_json::json;
use serde_json::value::to_raw_value;

/// Runs of the product and of the floor, alternately.
const RUNS: usize = 3;

const COUNTER: &str = "function (args, power) { power.memory.count = (power.memory.count || 0) + args.by; }";

const STARTER: &str = "function ({ to, messages }) { for (let n = 0; n < messages; n++) to.sendOnly({ by: 1 }); }";

/// What the clock saw of the product: messages delivered, and turns run, a second.
struct Ran {
    delivered: f64,
    run: f64,
    /// The text of one message on the wire.
    text: String,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let messages =
        args.iter().position(|arg| arg == "--messages").map_or(Some(20_000), |at| args.get(at + 1)?.parse().ok());
    let Some(messages) = messages.filter(|messages| *messages > 0) else {
        eprintln!("usage: cargo bench -p qrt-tests --bench peers -- [--messages N]");
        std::process::exit(2);
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    say(&format!("{messages} queued messages a run, {RUNS} runs each in turn, {processors} processors"));
    let (mut product, mut floor, mut ratios, mut run) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let ran = run_product(messages);
        let scratch = Scratch::default();
        std::fs::create_dir(scratch.path("floor")).expect("a directory");
        let least = per(messages, floor::run(&scratch.path("floor"), messages, &ran.text, r#"{"by":1}"#));
        ratios.push(ran.delivered / least);
        product.push(ran.delivered);
        floor.push(least);
        run.push(ran.run);
    }
    for figures in [&mut product, &mut floor, &mut ratios, &mut run] {
        figures.sort_by(f64::total_cmp);
    }
    let middle = RUNS / 2;
    say(&format!("{:32}{:>10}{:>10}   ratio min, median, max", "a second (medians)", "product", "floor"));
    let ratio = format!("{:.2}, {:.2}, {:.2}", ratios[0], ratios[middle], ratios[RUNS - 1]);
    say(&format!("{:32}{:>10.0}{:>10.0}   {ratio}", "messages delivered", product[middle], floor[middle]));
    say(&format!("{:32}{:>10.0}", "their turns, afterwards", run[middle]));
}

/// One run of two new vats.
fn run_product(messages: u64) -> Ran {
    let most = (2 * messages).to_string();
    let room = ["outbox.messages", "outbox.all_messages", "queue.all_messages"].map(|key| (key, most.clone()));
    let settings = [roomy(messages), room.into()].concat();
    let [from, to] = [(); 2].map(|()| Scratch::default().vat_with(&settings));
    from.scratch.qrt(&["gossip".as_ref(), from.dir().as_os_str(), to.dir().as_os_str()]).ok();
    let counter = to.install("counter", COUNTER, &[]);
    from.install("starter", STARTER, &[]);
    let peer = to.ask(async |client| client.info().await).vat;
    to.qrt("hold", &["counter"]).ok();
    from.qrt("hold", &[&peer.to_string()]).ok();
    from.result("starter", &json!({ "to": { "@qref": counter }, "messages": messages }).to_string());
    assert_eq!(from.ask(async |client| client.info().await).outbox, messages);
    let text = one_text(&from, &counter);

    let started = Instant::now();
    from.qrt("release", &[&peer.to_string()]).ok();
    let last = MessageName::Out(peer, messages);
    from.ask(async |client| {
        while !matches!(client.outcome(last, PATIENCE / 12).await?, Awaited::Acked) {}
        Ok(())
    });
    let delivered = per(messages, started.elapsed());
    assert_eq!(to.ask(async |client| client.info().await).inbox, messages);
    let known = from.ask(async |client| client.peer(&PeerName::Vat(peer)).await);
    assert_eq!((known.acked_out, known.pending), (messages, 0));

    let before = to.ask(async |client| client.info().await).turns;
    let started = Instant::now();
    to.qrt("release", &["counter"]).ok();
    to.wait_for_turn(before + messages);
    let run = per(messages, started.elapsed());
    let memory = to.ask(async |client| client.memory(&"counter".parse().expect("a petname")).await);
    assert_eq!(memory.get(), json!({ "count": messages }).to_string(), "each ran once");
    Ran { delivered, run, text }
}

/// The text of such a message, as the vat that sends it writes it.
fn one_text(from: &Vat, to: &str) -> String {
    let info = from.ask(async |client| client.info().await);
    let object = to.rsplit('/').next().expect("a QRID");
    let args = to_raw_value(&json!({ "by": 1 })).expect("JSON");
    json!({ "to": object, "args": args, "at": [info.url], "cause": "x".repeat(32) }).to_string()
}

fn per(count: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody measures 2^53 messages")]
    let count = count as f64;
    count / took.as_secs_f64()
}

fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody listens");
}
