//! The console in a real terminal against real daemons.

mod screenshots;

use std::fs;
use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use qrt_tests::{Console, Scratch, programs};
use rustix::process::{Signal, kill_process};

const COUNTER: &str = "function (args, power) {
  power.memory.n = (power.memory.n || 0) + args.by;
  return power.memory.n;
}";

#[test]
fn an_operator_sends_a_message_and_sees_what_becomes_of_it() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    let mut console = Console::on(vat.dir());
    console.until_shown("nothing is wrong");
    console.press("2");
    console.until("the list", |screen| screen.contains("MADE") && screen.contains("counter"));
    console.press("s");
    console.until_shown("Send");
    console.press("\r");
    // A paste is text, whatever it holds.
    console.press("\u{1b}[200~{\"by\": 41}\u{1b}[201~");
    console.until_shown("41");
    console.press("\u{13}");
    console.until("the outcome", |screen| screen.contains("ok") && screen.contains("turn 1"));
    assert_eq!(vat.result("counter", r#"{"by": 1}"#), 42);
    console.press("\u{1b}");
    // Read together with the next key, it would be another: Alt and that key.
    console.until("the popup closed", |screen| !screen.contains("Send a message"));
    console.press("3");
    console.until("both turns", |screen| screen.matches("counter").count() >= 2);
    console.press("q");
    assert_eq!(console.ended(), (0, true));
}

#[test]
fn a_stuck_message_says_why_and_drains_when_its_vat_is_back() {
    let (here, there) = (Scratch::default().vat(), Scratch::default().vat());
    let far = there.install("far", COUNTER, &[]);
    let dirs = [here.dir(), there.dir()].map(|dir| dir.to_str().expect("UTF-8"));
    here.scratch.qrt(&["gossip", dirs[0], dirs[1]]).ok();
    there.qrt("stop", &[]).ok();
    here.scratch.qrt(&["send", "-d", dirs[0], &far, r#"{"by": 1}"#]).ok();
    let mut console = Console::on(here.dir());
    console.until_shown("cannot be reached");
    console.press("4");
    console.until("a failed attempt", |screen| screen.contains("retrying") && screen.contains("in "));
    console.press("w");
    console.until_shown("Connection refused");
    console.press("\u{1b}");
    console.until("the popup closed", |screen| !screen.contains("Why:"));
    there.start();
    console.press("r");
    console.until_shown("nothing waits");
    console.press("1");
    console.until_shown("nothing is wrong");
    console.press("q");
    assert_eq!(console.ended(), (0, true));
    assert_eq!(there.result("far", r#"{"by": 1}"#), 2);
}

#[test]
fn a_daemon_that_goes_away_comes_back_by_itself() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    let mut console = Console::on(vat.dir());
    console.press("2");
    console.until("the list", |screen| screen.contains("MADE") && screen.contains("counter"));
    vat.kill();
    let screen = console.until_shown("away for");
    assert!(screen.contains("counter"), "what was read stays on the screen:\n{screen}");
    vat.start();
    console.until_shown("running");
    console.press("q");
    assert_eq!(console.ended(), (0, true));
}

#[test]
fn an_object_is_installed_from_the_console() {
    let vat = Scratch::default().vat();
    let mut console = Console::on(vat.dir());
    console.until_shown("nothing is wrong");
    console.press("i");
    console.until_shown("Install");
    console.press("sample-methods\r");
    console.until("it is there", |_| vat.qrt("info", &["--json"]).json()["objects"] == 1);
    console.until_shown("[Code]");
    console.press("q");
    assert_eq!(console.ended(), (0, true));
}

#[test]
fn the_terminal_is_restored_after_a_signal() {
    let vat = Scratch::default().vat();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let console = Console::on(vat.dir());
        console.until_shown("Overview");
        kill_process(console.pid(), signal).expect("it runs");
        assert_eq!(console.ended(), (0, true), "{signal:?}");
    }
}

#[test]
fn a_demo_whose_terminal_goes_away_leaves_nothing_behind() {
    let scratch = Scratch::default();
    let temporary = scratch.path("tmp");
    fs::create_dir(&temporary).expect("a directory");
    let terminal =
        native_pty_system().openpty(PtySize { rows: 50, cols: 160, ..PtySize::default() }).expect("a terminal");
    let mut command = CommandBuilder::new(&programs().qrt);
    command.arg("demo");
    command.env("TMPDIR", &temporary);
    command.env("TERM", "xterm-256color");
    let mut demo = terminal.slave.spawn_command(command).expect("qrt runs");
    drop(terminal.slave);
    let mut reader = terminal.master.try_clone_reader().expect("its output");
    let (mut said, mut bytes) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&said).contains("COMPUTE") {
        let read = reader.read(&mut bytes).expect("it goes on");
        said.extend_from_slice(&bytes[..read]);
    }
    drop((reader, terminal.master));
    let ended = demo.wait().expect("it ends");
    assert_eq!(ended.signal(), None, "it ends by itself");
    let left: Vec<_> = fs::read_dir(&temporary).expect("the directory").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_size_and_mode_of_terminal_will_do() {
    let vat = Scratch::default().vat();
    vat.install("counter", COUNTER, &[]);
    let dir = vat.dir().to_str().expect("UTF-8");
    let mut console = Console::open(&["console", dir, "--ascii", "--read-only"], (80, 24), &[("NO_COLOR", "1")]);
    let screen = console.until_shown("nothing is wrong");
    assert!(screen.is_ascii(), "{screen}");
    console.press("2");
    console.until_shown("counter");
    console.press("i");
    console.until_shown("--read-only");
    for (columns, rows) in [(300, 100), (20, 5), (80, 24)] {
        console.resize(columns, rows);
        if columns > 40 {
            console.until_shown("counter")
        } else {
            console.until_shown("larger")
        };
    }
    console.press("?");
    console.until_shown("Help");
    console.press("\u{1b}");
    console.until("it closed", |screen| !screen.contains("Help"));
    console.press("q");
    assert_eq!(console.ended(), (0, true));
}

#[test]
fn without_a_terminal_there_is_no_console() {
    let vat = Scratch::default().vat();
    let refusal = vat.qrt("console", &[]).refusal(1);
    assert!(refusal.contains("needs a terminal"), "{refusal}");
}
