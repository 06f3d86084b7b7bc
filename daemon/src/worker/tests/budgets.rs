//! A turn over its budget is killed, whatever its code does about it.

use super::{ROOMY, in_world, limit, result};
use crate::protocol::{Budget, Limit};

/// Runs `code` under `budget`, inside `try` and `finally`, and tells the limit it was killed by.
fn kills(budget: Budget, code: &'static str, expected: Limit) {
    in_world(move |world| {
        world.budget = budget;
        world.install(1, code);
        let report = world.send(1, r#"{"@qref":3}"#);
        assert_eq!(limit(&report), expected, "{code}");
        assert!(report.sent.is_empty() && report.made.is_empty() && report.memories.is_empty());
        assert!(world.engine.is_spent());
    });
}

#[test]
fn every_limit_kills_whatever_the_code_catches() {
    let few = Budget { messages: 2, objects: 2, bytes: 1000, log_lines: 2, jobs: 5, ticks: 20, ..ROOMY };
    kills(few, "o => { for (;;) try { o.sendOnly(1) } catch {} }", Limit::Messages);
    kills(few, "o => { for (let i = 0; i < 3; i++) try { o.sendOnly(1) } catch {} }", Limit::Messages);
    kills(few, "(o, p) => { for (let i = 0; i < 3; i++) try { p.make_object('() => 1') } catch {} }", Limit::Objects);
    kills(few, "(o, p) => { for (let i = 0; i < 3; i++) try { p.log('x') } catch {} }", Limit::LogLines);
    kills(few, "o => { try { o.sendOnly('x'.repeat(1000)) } catch {} }", Limit::Bytes);
    kills(few, "(o, p) => { p.memory.x = 'x'.repeat(1001) }", Limit::Bytes);
    kills(few, "(o, p) => { p.memory.x = Array(1e6) }", Limit::Bytes);
    kills(few, "() => 'x'.repeat(1001)", Limit::Bytes);
    kills(few, "() => { const more = () => Promise.resolve().then(more); more() }", Limit::Jobs);
    kills(few, "() => { (async () => { for (let i = 0; i < 10; i++) try { await null } catch {} })() }", Limit::Jobs);
    kills(few, "() => { while (true) {} }", Limit::Ticks);
    kills(few, "() => { while (true) try { while (true) {} } catch {} finally {} }", Limit::Ticks);
    kills(few, "() => { new Promise(() => { while (true) {} }).catch(() => {}) }", Limit::Ticks);
    kills(few, "() => { Promise.resolve({ then() { while (true) {} } }).catch(() => {}) }", Limit::Ticks);
    kills(few, "() => { Promise.resolve().then(() => { while (true) {} }).catch(() => {}); return 1 }", Limit::Ticks);
    kills(few, "() => { /(x+x+)+y/.test('x'.repeat(40)) }", Limit::Ticks);
}

#[test]
fn memory_exhaustion_kills_whatever_the_code_catches() {
    let small = Budget { memory_bytes: 2 << 20, ticks: 100_000, ..ROOMY };
    kills(
        small,
        "() => { try { const a = []; for (;;) a.push('x'.repeat(1000) + a.length) } catch {} return 1 }",
        Limit::Memory,
    );
    kills(small, "() => { try { new ArrayBuffer(1 << 24) } catch {} return 1 }", Limit::Memory);
    kills(small, "() => { try { 'x'.repeat(1 << 26) } catch {} return 1 }", Limit::Memory);
    kills(small, "(o, p) => { p.memory.x = 1; try { new Uint8Array(1 << 28) } catch {} }", Limit::Memory);
}

#[test]
fn the_first_limit_hit_is_the_one_told() {
    let few = Budget { messages: 1, log_lines: 1, ..ROOMY };
    kills(
        few,
        "(o, p) => { try { o.sendOnly(1); o.sendOnly(1) } catch {} try { p.log(1); p.log(1) } catch {} }",
        Limit::Messages,
    );
}

#[test]
fn messages_name_the_limit_and_its_figure() {
    in_world(|world| {
        world.budget = Budget { messages: 1, ..ROOMY };
        world.install(1, "o => { o.sendOnly(1); o.sendOnly(1) }");
        assert_eq!(result(&world.send(1, r#"{"@qref":3}"#)), "killed (Messages): more than 1 messages in one turn");
    });
}

#[test]
fn a_turn_within_its_budget_leaves_the_engine_usable() {
    in_world(|world| {
        world.budget = Budget { memory_bytes: 8 << 20, ..ROOMY };
        world.install(1, "() => { const a = []; for (let i = 0; i < 20000; i++) a.push({ i, a }); return a.length }");
        for _ in 0..50 {
            assert_eq!(result(&world.send(1, "null")), "20000");
        }
        assert!(!world.engine.is_spent());
    });
}
