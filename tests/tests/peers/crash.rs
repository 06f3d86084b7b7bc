//! Both vats are killed at any moment, again and again, while they send each other numbered messages.

use qrt_tests::Vat;
use serde_json::json;

use super::{friends, until_peer};

/// Sends the next numbers to the other vat, and itself the order to go on.
const SOURCE: &str = "function ({ me, to, left }, { memory }) {
    for (let i = 0; i < 200000; i++) {}
    memory.next = memory.next || 0;
    for (let i = 0; i < 5; i++) to.sendOnly(memory.next++);
    if (left > 1) me.sendOnly({ me, to, left: left - 1 });
}";

/// Counts; what does not follow is kept.
const SINK: &str = "function (n, { memory }) {
    memory.next = memory.next || 0;
    if (n !== memory.next) memory.wrong = [n, memory.next];
    memory.next = n + 1;
    return n;
}";

/// Numbers as random as a test needs, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// How often each run kills, both vats together.
fn kills() -> u64 {
    std::env::var("QRT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

#[test]
fn nothing_between_two_vats_is_lost_repeated_or_reordered_however_they_are_killed() {
    let kills = kills();
    let rounds = 40 * kills;
    let vats: [Vat; 2] = friends();
    let sinks = [0, 1].map(|n| vats[n].install("sink", SINK, &[]));
    for (n, other) in [(0, 1), (1, 0)] {
        let source = vats[n].install("source", SOURCE, &[]);
        let order = json!({ "me": { "@qref": source }, "to": { "@qref": sinks[other] }, "left": rounds });
        let dir = vats[n].dir().to_str().expect("UTF-8");
        vats[n].scratch.qrt(&["send", "-d", dir, "source", &order.to_string()]).ok();
    }
    let count = 5 * rounds;
    let mut dice = Dice(kills);
    let turns = |vat: &Vat| vat.ask(async |client| client.info().await).turns;
    let mut busy = 0;
    for _ in 0..kills {
        let vat = &vats[usize::try_from(dice.below(2)).expect("0 or 1")];
        // Never beyond what there is to do: a kill may come when this vat has done it all.
        vat.wait_for_turn((turns(vat) + 1 + dice.below(60)).min(rounds + count));
        vat.kill();
        vat.start();
        let info = vat.ask(async |client| client.info().await);
        busy += u64::from(info.inbox + info.outbox > 0);
    }
    assert!(busy * 2 > kills, "most kills came in the middle of something: {busy} of {kills}");
    for vat in &vats {
        vat.qrt("retry", &[]).ok();
    }
    for (n, other) in [(0, 1), (1, 0)] {
        let their = super::id(&vats[other]);
        until_peer(&vats[n], their, "everything is acknowledged", |peer| peer.acked_out == count && peer.pending == 0);
    }
    for vat in &vats {
        vat.wait_for_turn(rounds + count);
        let journal = vat.journal();
        let got: Vec<_> = journal.iter().filter(|turn| turn.from.is_some()).collect();
        assert_eq!(got.len() as u64, count, "each that was sent ran, and none twice");
        for (turn, n) in got.iter().zip(0_u64..) {
            assert_eq!(turn.args.get(), n.to_string(), "in order");
            assert_eq!(turn.from.as_ref().map(|from| from.seq), Some(n + 1));
        }
        let memory = vat.qrt("memory", &["sink", "--json"]).json();
        assert_eq!(memory, json!({ "next": count }));
        let info = vat.qrt("info", &["--json"]).json();
        assert_eq!((&info["faults"], &info["inbox"], &info["outbox"]), (&json!(0), &json!(0), &json!(0)));
    }
}
