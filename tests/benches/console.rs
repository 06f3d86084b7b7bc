//! What the console costs: how long a key takes until its answer is on the screen, how much processor and memory it
//! takes, on a vat with many objects and much in its outbox that is at rest, and that is at work.
//!
//! `cargo bench -p qrt-tests --bench console -- --objects 1000000 --outbox 100000`. The floor is `cat` in a terminal
//! of the same kind, which writes each key back. The figures to compare are those next to each other; nothing is
//! asserted about time.

use std::fs;
use std::io::{Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use qrt_shared::control::{Client, ClientError, Send};
use qrt_tests::{Console, Scratch, Vat};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use vt100::Screen;

/// Keys whose time is taken, of each kind.
const KEYS: usize = 300;

/// How long the processor's time is counted.
const COUNTED: Duration = Duration::from_secs(10);

/// Messages that are queued at least while the vat works.
const QUEUED: u64 = 20_000;

/// Makes as many objects as it is told.
const MAKER: &str = "function (n, power) {
    for (let made = 0; made < n; made++) power.make_object('(args, power) => power.memory.n = args', { memory: { n: made } });
}";

/// Sends as many messages as it is told to what it holds.
const FLOOD: &str = "function (n, power) { for (let sent = 0; sent < n; sent++) power.to.sendOnly({ by: 1 }); }";

const COUNTER: &str = "function (args, power) { return power.memory.count = (power.memory.count || 0) + args.by; }";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (objects, outbox) = (number(&args, "--objects", 1_000_000), number(&args, "--outbox", 100_000));
    let vat = vat(objects, outbox);
    say(&format!("{objects} objects, {outbox} messages in the outbox; {KEYS} keys each, ms: p50, p99"));
    let mut floor = Console::run("cat".as_ref(), &[], (160, 50), &[]);
    let mut typed = 0;
    let echo = times(&mut floor, |_| {
        typed += 1;
        ("x".to_owned(), Box::new(move |screen: &Screen| screen.contents().matches('x').count() >= typed))
    });
    show("cat", echo);
    let mut console = Console::open(&["console", vat.dir().to_str().expect("UTF-8")], (160, 50), &[]);
    console.until_shown("OBJECTS BY COMPUTE");
    keys(&mut console, "at rest");
    usage(&mut console, "at rest");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| work(&vat, &over));
        let before = turns(&vat);
        let started = Instant::now();
        keys(&mut console, "at work");
        usage(&mut console, "at work");
        let done = turns(&vat) - before;
        say(&format!("  meanwhile {:.0} turns/s", per_second(done, started.elapsed())));
        over.store(true, Ordering::Relaxed);
    });
}

/// A vat with so many objects, and so many messages to a vat that does not answer.
fn vat(objects: u64, outbox: u64) -> Vat {
    let vat = Scratch::default().vat_with(&[("outbox.messages", outbox.max(1).to_string())]);
    vat.install("maker", MAKER, &[]);
    let counter = vat.install("counter", COUNTER, &[]);
    let power = |to: &str| json!({ "to": { "@qref": to } }).to_string();
    vat.install("flood", FLOOD, &["--power", &power(&counter)]);
    let nowhere = Scratch::default();
    let dir = nowhere.path("nowhere");
    let made = nowhere.qrt(&["create-node".as_ref(), dir.as_os_str(), "--json".as_ref()]).json();
    let far = made["vat"].as_str().expect("an id");
    vat.qrt("peer-add", &[far, "http://127.0.0.1:9"]).ok();
    vat.install("letters", FLOOD, &["--power", &power(&format!("qrt:{far}/7z2fziy4eazx2seb54ittqs77cr5lfj3"))]);
    let mut sent = 0;
    for (target, count) in [("maker", objects.saturating_sub(4)), ("letters", outbox)] {
        let mut left = count;
        while left > 0 {
            let part = left.min(1000);
            vat.ask(async |client| client.send(&message(target, part)).await);
            left -= part;
            sent += 1;
        }
    }
    vat.wait_for_turn(sent);
    let info = vat.qrt("info", &["--json"]).json();
    assert_eq!((&info["objects"], &info["outbox"]), (&json!(objects.max(4)), &json!(outbox)));
    vat
}

/// Keeps the vat at work until it is over.
fn work(vat: &Vat, over: &AtomicBool) {
    let runtime = Runtime::new().expect("a runtime");
    let working = async {
        let mut client = Client::open(vat.dir()).await?;
        while !over.load(Ordering::Relaxed) {
            if client.info().await?.inbox < QUEUED {
                for _ in 0..10 {
                    client.send(&message("flood", 1000)).await?;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, ClientError>(())
    };
    runtime.block_on(working).expect("the vat works");
}

/// How long keys take: a row down and up again, and another screen.
fn keys(console: &mut Console, when: &str) {
    console.press("2");
    console.until("the objects", |screen| screen.contains("MADE") && screen.contains("maker"));
    let mut row = console.seen(selected);
    let moves = times(console, |number| {
        let from = row;
        row = if number % 2 == 0 { row.map(|row| row + 1) } else { row.map(|row| row - 1) };
        let there: There = Box::new(move |screen| selected(screen) != from);
        (if number % 2 == 0 { "j" } else { "k" }.to_owned(), there)
    });
    show(&format!("a row, {when}"), moves);
    let screens = ["Turns", "Outbox", "Peers", "Objects"];
    let goes = times(console, |number| {
        let title = screens[number % screens.len()];
        let key = ["3", "4", "5", "2"][number % screens.len()];
        (key.to_owned(), Box::new(move |screen| screen.contents().trim_start().starts_with(title)))
    });
    show(&format!("a screen, {when}"), goes);
    console.press("g");
    console.until_screen("the first object", is_first);
    let jumps = times(console, |number| {
        let (key, first) = if number % 2 == 0 { ("G", false) } else { ("g", true) };
        (key.to_owned(), Box::new(move |screen| selected(screen).is_some() && is_first(screen) == first))
    });
    show(&format!("an end, {when}"), jumps);
    console.press("/");
    console.until("a filter", |screen| screen.contains("Esc"));
    let mut typed = 0;
    let letters = times(console, |_| {
        typed = typed % 20 + 1;
        if typed == 1 { ("\u{15}!".to_owned(), typed_is(1)) } else { ("!".to_owned(), typed_is(typed)) }
    });
    show(&format!("a letter, {when}"), letters);
    console.press("\u{1b}");
    // With a key right after it, it would be that key with Alt.
    console.until("no filter", |screen| !screen.contains('!'));
}

/// So many letters, which no id has, are in the filter.
fn typed_is(count: usize) -> There {
    let (there, more) = ("!".repeat(count), "!".repeat(count + 1));
    Box::new(move |screen| screen.contents().contains(&there) && !screen.contents().contains(&more))
}

/// What must be so on the screen.
type There = Box<dyn Fn(&Screen) -> bool>;

/// The row that the selection is on.
fn selected(screen: &Screen) -> Option<u16> {
    (2..48).find(|row| screen.cell(*row, 2).is_some_and(vt100::Cell::inverse))
}

/// Whether it is on the vat's first object.
fn is_first(screen: &Screen) -> bool {
    let text = selected(screen).and_then(|row| screen.rows(0, 160).nth(row.into()));
    text.is_some_and(|text| text.contains("maker"))
}

fn times(console: &mut Console, mut next: impl FnMut(usize) -> (String, There)) -> Vec<Duration> {
    let time = |number| {
        let (keys, there) = next(number);
        let started = Instant::now();
        console.press(&keys);
        console.until_screen(&keys, there);
        started.elapsed()
    };
    (0..KEYS).map(time).collect()
}

/// What the console takes of a processor on screens that change much, and of memory.
fn usage(console: &mut Console, when: &str) {
    for (key, title) in [("1", "Overview"), ("2", "Objects"), ("3", "Turns")] {
        console.press(key);
        console.until(title, |screen| screen.trim_start().starts_with(title));
        let before = cpu(console);
        thread::sleep(COUNTED);
        let share = cpu(console).saturating_sub(before).as_secs_f64() / COUNTED.as_secs_f64() * 100.0;
        say(&format!("  {title}, {when}: {share:.1}% of a core over {} s", COUNTED.as_secs()));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", console.pid())).expect("its status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    say(&format!("  {} resident at most", resident.trim()));
}

/// The processor's time of the console so far.
fn cpu(console: &Console) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", console.pid())).expect("its times");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    // User and system time in hundredths of a second: fields 14 and 15 of proc(5), two of them before the `)`.
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn turns(vat: &Vat) -> u64 {
    vat.ask(async |client| client.info().await).turns
}

fn per_second(count: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few million turns")]
    let count = count as f64;
    count / took.as_secs_f64()
}

fn message(target: &str, count: u64) -> Send {
    let args = to_raw_value(&Value::from(count)).expect("JSON");
    Send { target: target.parse().expect("an object"), args, key: None }
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let [half, most] = [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0);
    say(&format!("  {what:20}{half:>8.2}{most:>8.2}"));
}

fn number(args: &[String], name: &str, default: u64) -> u64 {
    let value = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    value.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
}

fn say(line: &str) {
    writeln!(stdout(), "{line}").expect("somebody listens");
}
