//! How long a bad turn holds up its neighbour: built-ins that the engine never interrupts, loops, floods.
//!
//!     cargo bench -p qrt-tests --bench hostile -- --spinners 3
//!
//! For each: when the bad turn had ended, when the neighbour's message, sent while the bad one ran, was answered,
//! both since the bad one was sent, and the turns a
//! second of a hundred messages to the neighbour, one by one, before and after. The settings are as they come.
//! So many spinners, threads that compute for nobody, keep the machine busy all the while.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};

use qrt_tests::{Object, Scratch, Vat};

const CASES: [(&str, &str); 22] = [
    ("a loop", "() => { for (;;); }"),
    ("a loop that catches", "() => { for (;;) try { for (;;); } catch {} }"),
    ("promise jobs without end", "() => { const go = () => Promise.resolve().then(go); go() }"),
    ("a regular expression that goes back", "() => /^(a+)+$/.test('a'.repeat(40) + 'b')"),
    ("indexOf of a long nothing", "() => [].indexOf.call({ length: 2 ** 53 - 1 }, 1)"),
    ("lastIndexOf of a long nothing", "() => [].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)"),
    ("reverse of a long nothing", "() => [].reverse.call({ length: 2 ** 53 - 1 })"),
    ("sort of holes", "() => { const a = []; a.length = 2 ** 32 - 1; a.sort() }"),
    ("join of a long nothing", "() => [].join.call({ length: 2 ** 40 }, '')"),
    ("splice of a long nothing", "() => [].splice.call({ length: 2 ** 53 - 1 }, 0, 1)"),
    ("shift of a long nothing", "() => [].shift.call({ length: 2 ** 53 - 1 })"),
    ("copyWithin of a long nothing", "() => [].copyWithin.call({ length: 2 ** 53 - 1 }, 1, 0)"),
    ("new Array(1e9) + ''", "() => { new Array(1e9) + '' }"),
    ("a big number's text", "() => { for (;;) (3n ** 600000n).toString() }"),
    ("big numbers multiplied", "() => { const b = 3n ** 600000n; for (;;) b * b }"),
    ("String.raw of a long nothing", "() => String.raw({ raw: { length: 2 ** 53 - 1 } })"),
    ("a quadratic search", "() => { const s = 'a'.repeat(8e6); for (;;) s.indexOf('a'.repeat(4e6) + 'b') }"),
    (
        "keys of a big object",
        "() => { const o = {}; for (let i = 0; i < 1e5; i++) o['k' + i] = 1; for (;;) Object.keys(o) }",
    ),
    ("a long regular expression, read", "() => { for (;;) new RegExp('(?:a|b|[c-z]){1,3}'.repeat(20000)) }"),
    (
        "JSON of a big value",
        "() => { const a = Array.from({ length: 3e5 }, (_, i) => 'x' + i); for (;;) JSON.stringify(a) }",
    ),
    ("all memory, caught", "() => { const a = []; for (;;) try { a.push(new ArrayBuffer(1 << 16)) } catch {} }"),
    ("the stack, caught", "() => { const f = () => { try { f() } catch { f() } }; f() }"),
];

/// Turns a second of a hundred messages.
fn throughput(neighbour: &Object) -> f64 {
    let began = Instant::now();
    for _ in 0..100 {
        neighbour.send("1");
    }
    100.0 / began.elapsed().as_secs_f64()
}

/// When the bad turn and the neighbour's turn had ended.
fn case(vat: &Vat, neighbour: &Object, code: &str) -> (Duration, Duration, String) {
    let bad = vat.object(code);
    let began = Instant::now();
    bad.queue("null");
    neighbour.send("1");
    let answered = began.elapsed();
    bad.wait_for_turns(1);
    let ended = began.elapsed();
    (ended, answered, bad.faults().pop().map(|fault| fault.error.message).unwrap_or_default())
}

/// Keeps `count` processors busy for as long as this process lives.
fn spin(count: usize) {
    for _ in 0..count {
        std::thread::spawn(|| {
            let mut sum = 0_u64;
            loop {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
        });
    }
}

/// The number after `--spinners`; 0 without.
fn spinners() -> usize {
    let mut args = std::env::args().skip_while(|arg| arg != "--spinners").skip(1);
    args.next().map_or(0, |count| count.parse().expect("a number of spinners"))
}

fn main() {
    spin(spinners());
    let vat = Scratch::default().vat();
    let neighbour = vat.object("(args, { memory }) => memory.n = (memory.n ?? 0) + args");
    println!("{:36} {:>9} {:>9} {:>9} {:>9}  ended by", "", "ended ms", "next ms", "before/s", "after/s");
    let (mut worst, mut late) = (Duration::ZERO, 0);
    for (name, code) in CASES {
        let before = throughput(&neighbour);
        let (ended, answered, why) = case(&vat, &neighbour, code);
        let after = throughput(&neighbour);
        worst = worst.max(answered);
        late += usize::from(ended > Duration::from_millis(2500));
        println!("{name:36} {:>9} {:>9} {before:>9.0} {after:>9.0}  {why}", ended.as_millis(), answered.as_millis());
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{late} of {} ended after 2.5 s; the neighbour waited at most {} ms", CASES.len(), worst.as_millis());
    println!("load averages at the end: {}", load.trim());
}
