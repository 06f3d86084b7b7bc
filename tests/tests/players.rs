//! A game whose thousand players bring scripts of their own, ten of them hostile in ten ways.

use std::collections::HashMap;
use std::time::Duration;

use qrt_shared::view::Outcome;
use qrt_tests::{Scratch, Vat};
use serde_json::{Value, json};

const PLAYERS: usize = 1000;
const ROUNDS: usize = 20;

/// What a turn is charged besides its CPU time, in microseconds.
const TURN_US: u64 = 26;

/// Gives each script that it is told of an account of its own, and sends all of them all rounds.
const GAME: &str = "(args, power) => {
    const m = power.memory;
    m.players = m.players || [];
    if (args.join !== undefined) {
        for (let n = 0; n < args.times; n++) {
            m.players.push(power.make_account(power.scripts[args.join], add(power, { scripts: null, memory: {} })));
        }
        return m.players.length;
    }
    if (args.rounds !== undefined) {
        for (let round = 1; round <= args.rounds; round++) {
            m.players.forEach((me) => me.sendOnly({ round, me, game: args.game }));
        }
        m.rounds = args.rounds;
        return;
    }
    m.junk = (m.junk || 0) + 1;
}";

const HONEST: &str =
    "(args, power) => { for (let n = 0; n < 5000; n++) {} power.memory.rounds = (power.memory.rounds || 0) + 1; }";

/// What ten players do when they are let: each first sends itself so many messages that it always has work.
const HOSTILE: [(&str, &str); 10] = [
    ("loop", "for (;;) {}"),
    ("memory bomb", "const a = []; for (;;) { try { a.push('x'.repeat(1e6) + a.length); } catch {} }"),
    ("flood to itself", "for (let n = 0; n < 100; n++) args.me.sendOnly(args);"),
    ("flood to the game", "for (let n = 0; n < 300; n++) args.game.sendOnly({ junk: n }); args.me.sendOnly(args);"),
    ("huge memory", "power.memory['k' + args.n] = 'x'.repeat(900000);"),
    ("many objects", "for (let n = 0; n < 100; n++) power.make_object('() => 1', {}); args.me.sendOnly(args);"),
    ("engine hog", "for (;;) { try { 'x'.repeat(1e6).split('').sort().join(''); } catch {} }"),
    ("throws", "args.me.nothing.at.all();"),
    (
        "ping-pong",
        "const friend = args.friend || power.make_object(power.twin, {});
        const next = { me: friend, friend: args.me, game: args.game, n: 1 };
        friend.sendOnly(next);",
    ),
    ("huge args", "args.game.sendOnly('x'.repeat(900000)); args.me.sendOnly(args);"),
];

fn hostile(attack: &str) -> String {
    format!(
        "(args, power) => {{
            if (args.n === undefined) {{
                for (let n = 0; n < 5; n++) args.me.sendOnly({{ me: args.me, game: args.game, n }});
                return;
            }}
            {attack}
        }}"
    )
}

/// A vat with the game in it, all its players and none of their rounds.
fn game() -> Vat {
    let settings = [
        ("compute_ms", "500"),
        ("refill_ms", "20"),
        ("total_objects", "300"),
        ("total_memory_bytes", "2000000"),
        ("total_queued_bytes", "3000000"),
        ("ticks", "1000"),
    ];
    let vat = Scratch::default().vat_with(&settings);
    let mut scripts: Vec<_> = HOSTILE.iter().map(|(_, attack)| hostile(attack)).collect();
    let twin = "(args) => { args.friend.sendOnly({ me: args.friend, friend: args.me, game: args.game, n: 1 }); }";
    scripts.push(HONEST.to_owned());
    let power = json!({ "scripts": scripts, "twin": twin }).to_string();
    let own = "cpu=150ms,wall=5s,memory=8MiB,messages=20000,bytes=16MiB,stored=1MiB";
    let account = "cpu=10min,refill=1s/s,objects=5000,memory=64MiB,queued=64MiB";
    let args = ["--grant", "make_account", "--power", &power, "--budget", own, "--account-budget", account];
    vat.install("game", GAME, &args);
    for script in 0..HOSTILE.len() {
        vat.result("game", &json!({ "join": script, "times": 1 }).to_string());
    }
    for _ in 0..9 {
        vat.result("game", &json!({ "join": HOSTILE.len(), "times": 110 }).to_string());
    }
    vat
}

#[test]
fn of_a_thousand_players_ten_hostile_ones_take_nothing_from_the_others_or_the_game() {
    let vat = game();
    let game = vat.qrt("objects", &["--filter", "game", "--json"]).json()[0]["qrid"].as_str().expect("it").to_owned();
    let players = vat.qrt("memory", &["game", "--json"]).json()["players"].as_array().expect("a list").clone();
    let players: Vec<String> =
        players.iter().map(|player| player["@qref"].as_str().expect("a reference").to_owned()).collect();
    assert_eq!(players.len(), PLAYERS);
    let (hostile, honest) = players.split_at(HOSTILE.len());
    vat.result("game", &json!({ "rounds": ROUNDS, "game": { "@qref": game } }).to_string());
    // Until each honest player has had all rounds.
    let mut charged: HashMap<String, Vec<u64>> = honest.iter().map(|player| (player.clone(), Vec::new())).collect();
    let (mut done, mut after) = (0, 0);
    while done < honest.len() * ROUNDS {
        let page = vat.ask(async |client| client.turns(None, after, Duration::from_secs(10)).await);
        for turn in page.items {
            after = turn.turn;
            let Some(costs) = charged.get_mut(&turn.object.to_string()) else { continue };
            assert_eq!(turn.outcome, Outcome::Ok, "nothing of an honest player fails");
            costs.push(turn.cpu_us + TURN_US);
            done += 1;
            // All of them still had work: what they had been charged by then is the same, but for the last
            // turn of each, whose cost was known only when it had ended.
            if done == honest.len() * ROUNDS * 3 / 5 {
                let sums = charged.values().map(|costs| costs.iter().sum::<u64>());
                let least = sums.min().expect("some");
                let before_last = charged.values().map(|costs| costs[..costs.len() - 1].iter().sum::<u64>());
                let most = before_last.max().expect("some");
                assert!(charged.values().all(|costs| costs.len() < ROUNDS), "all have work");
                assert!(least * 10 >= most * 9, "charged to honest players, in us: {least} to {most}");
            }
        }
    }
    assert!(charged.values().all(|costs| costs.len() == ROUNDS), "and all got everything");
    // The game is as it should be.
    let memory = vat.qrt("memory", &["game", "--json"]).json();
    assert_eq!((&memory["rounds"], memory["players"].as_array().map(Vec::len)), (&json!(ROUNDS), Some(PLAYERS)));
    let shown = |qrid: &str| vat.qrt("object", &[qrid, "--json"]).json();
    let rounds = shown(&honest[500])["memory"]["rounds"].clone();
    assert_eq!(rounds, ROUNDS as u64);
    // And those who paid are those who spent.
    for (qrid, (name, _)) in hostile.iter().zip(HOSTILE) {
        let used: Value = shown(qrid)["account_use"].clone();
        let spent = used["cpu_us"].as_u64().expect("a figure");
        assert!(spent < 4_000_000, "{name}: {used}");
        assert!(used["objects"].as_u64() <= Some(300), "{name}: {used}");
        assert!(used["memory_bytes"].as_u64() <= Some(2_000_000), "{name}: {used}");
        assert!(used["queued_bytes"].as_u64() <= Some(3_000_000), "{name}: {used}");
    }
}
