//! A Memory that is fetched by key is, to code, the plain object that a small one is.

use std::sync::atomic::Ordering;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{World, in_world, limit, result};
use crate::protocol::{Limit, MadeMemory, Verdict};

const OPERATIONS: &str = include_str!("../../../../tests/tests/objects/operations.js");

const CONTENT: &str = r#"{"7":"seven","a":{"b":{"c":1},"x":null},"list":[3,{"y":[]},1],"n":5,"@@at":[true],"__proto__":1,"b":0,"key3":{},"z":[[]]}"#;

#[derive(serde::Deserialize)]
struct Told {
    seen: Value,
    lasts: bool,
    content: Box<RawValue>,
}

type Program = Vec<(u16, u8, u8, u8)>;

fn by_key(code: &str, content: &str, test: impl FnOnce(&mut World) + Send + 'static) {
    let (code, content) = (code.to_owned(), content.to_owned());
    in_world(move |world| {
        world.by_key = true;
        world.install_with(1, &code, "{}", Some((1, &content)));
        test(world);
    });
}

/// A turn on a Memory and on a plain object with the same content, which must not differ.
fn same(world: &mut World, program: &Program) -> Result<(), TestCaseError> {
    let program = serde_json::to_string(program).expect("numbers");
    let content = world.memory(1);
    let told = world.send(2, &format!(r#"{{"program":{program},"content":{content}}}"#));
    let told = result(&told);
    let told: Told = serde_json::from_str(&told).map_err(|_| TestCaseError::fail(told.clone()))?;
    let report = world.send(1, &format!(r#"{{"program":{program}}}"#));
    if told.lasts {
        let seen: Value = serde_json::from_str(&result(&report)).map_err(|_| TestCaseError::fail(result(&report)))?;
        prop_assert_eq!(seen, told.seen);
        prop_assert_eq!(world.memory(1), told.content.get());
    } else {
        prop_assert!(matches!(report.verdict, Verdict::Error(_)), "{}", result(&report));
        prop_assert_eq!(world.memory(1), content);
    }
    Ok(())
}

#[test]
fn programs_of_operations_see_and_leave_what_they_do_with_a_plain_object() {
    by_key(OPERATIONS, CONTENT, |world| {
        world.install_with(2, OPERATIONS, "{}", None);
        let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let programs = prop::collection::vec(prop::collection::vec(any::<(u16, u8, u8, u8)>(), 1..24), 1..4);
        let cell = std::cell::RefCell::new(world);
        let outcome = runner.run(&programs, |programs| {
            let mut world = cell.borrow_mut();
            world.install_with(1, OPERATIONS, "{}", Some((1, CONTENT)));
            programs.iter().try_for_each(|program| same(&mut world, program))
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
        assert!(cell.borrow().asked.load(Ordering::Relaxed) > 1000, "the memory was fetched by key");
    });
}

/// What a turn of `code` on the Memory `{"a":{"x":1},"b":2,"c":3}` answers, what it leaves, and how often it
/// asked.
fn run(code: &'static str) -> (String, String, usize) {
    let (sender, receiver) = std::sync::mpsc::channel();
    by_key(code, r#"{"a":{"x":1},"b":2,"c":3}"#, move |world| {
        world.install(7, "(o, p) => { const m = o ?? p.memory; m.seen = 1; return m }");
        let answer = result(&world.send(1, r#"{"@qref":7}"#));
        sender.send((answer, world.memory(1), world.asked.load(Ordering::Relaxed))).expect("the test waits");
    });
    receiver.recv().expect("an answer")
}

fn answers(code: &'static str, answer: &str, leaves: &str) {
    let (answered, left, _) = run(code);
    assert_eq!((answered.as_str(), left.as_str()), (answer, leaves), "{code}");
}

const UNCHANGED: &str = r#"{"a":{"x":1},"b":2,"c":3}"#;

#[test]
fn a_turn_asks_for_what_it_touches_and_no_more() {
    assert_eq!(run("(o, { memory }) => ++memory.b + memory.b"), ("6".into(), r#"{"a":{"x":1},"b":3,"c":3}"#.into(), 1));
    assert_eq!(run("() => 1"), ("1".into(), UNCHANGED.into(), 0));
    assert_eq!(run("(o, { memory }) => { memory.new = 1; delete memory.c }").2, 2);
    assert_eq!(
        run("(o, { memory }) => [memory.nothing, memory.nothing, 'nothing' in memory]").2,
        1,
        "what is not there is known too"
    );
}

#[test]
fn nested_changes_and_the_order_of_keys_last() {
    answers("(o, { memory }) => { memory.a.x = 9 }", "null", r#"{"a":{"x":9},"b":2,"c":3}"#);
    answers("(o, { memory }) => { delete memory.a; memory.a = 1 }", "null", r#"{"b":2,"c":3,"a":1}"#);
    answers(
        "(o, { memory }) => { memory.d = 1; delete memory.b; memory.b = 5; memory[3] = 0; return Object.keys(memory) }",
        r#"["3","a","c","d","b"]"#,
        r#"{"3":0,"a":{"x":1},"c":3,"d":1,"b":5}"#,
    );
    answers(
        "(o, { memory }) => { memory.b = undefined; const k = Object.keys(memory); memory.b = 4; return [k, Object.keys(memory)] }",
        r#"[["a","b","c"],["a","b","c"]]"#,
        r#"{"a":{"x":1},"b":4,"c":3}"#,
    );
    answers("(o, { memory }) => { memory.b = undefined }", "null", r#"{"a":{"x":1},"c":3}"#);
    answers(
        "(o, { memory }) => { const a = memory.a; Object.keys(memory); a.x = 2; return a === memory.a }",
        "true",
        r#"{"a":{"x":2},"b":2,"c":3}"#,
    );
}

#[test]
fn odd_uses_of_it_are_those_of_a_plain_object() {
    answers(
        "(o, { memory }) => { const c = Object.create(memory); c.b++; return [c.b, memory.b, Object.keys(c), 'a' in c] }",
        r#"[3,2,["b"],true]"#,
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { const seen = []; const p = new Proxy(memory, { get(t, k, r) { seen.push(String(k)); return Reflect.get(t, k, r) } }); p.b; p.b = 4; return [seen, p.b, memory.b] }",
        r#"[["b","b"],4,4]"#,
        r#"{"a":{"x":1},"b":4,"c":3}"#,
    );
    answers(
        "(o, { memory }) => { Object.defineProperty(memory, 'g', { get() { return this.b }, configurable: true }); const g = memory.g; delete memory.g; return g }",
        "2",
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { memory[Symbol.toStringTag] = 'X'; const s = String(memory); delete memory[Symbol.toStringTag]; return [s, String(memory)] }",
        r#"["[object X]","[object Object]"]"#,
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { class A { constructor(o) { return o } } class B extends A { #p = 3; static of(o) { return o.#p } } new B(memory); return B.of(memory) + memory.b }",
        "5",
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { memory.toString = 1; return [memory.toString, Object.hasOwn(memory, 'valueOf')] }",
        "[1,false]",
        r#"{"a":{"x":1},"b":2,"c":3,"toString":1}"#,
    );
    answers(
        "(o, { memory }) => { memory.__proto__ = null; return [Object.getPrototypeOf(memory) === null, Object.hasOwn(memory, '__proto__')] }",
        "error: TypeError: memory: an object with another prototype than Object.prototype",
        UNCHANGED,
    );
    answers("(o, { memory }) => memory", UNCHANGED, UNCHANGED);
    answers(
        "(o, { memory }) => { const { b, ...rest } = memory; return [b, rest, { ...memory }, JSON.stringify(memory)] }",
        r#"[2,{"a":{"x":1},"c":3},{"a":{"x":1},"b":2,"c":3},"{\"a\":{\"x\":1},\"b\":2,\"c\":3}"]"#,
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { const keys = []; for (const k in memory) { keys.push(k); delete memory.c } return keys }",
        r#"["a","b"]"#,
        r#"{"a":{"x":1},"b":2}"#,
    );
    answers("(o, { memory }) => { memory.me = memory }", "error: TypeError: memory.me: a cycle", UNCHANGED);
    answers(
        "(o, { memory }) => { memory.me = { deep: [memory] } }",
        "error: TypeError: memory.me.deep[0]: a cycle",
        UNCHANGED,
    );
    answers("(o, { memory }) => { memory.f = () => 1 }", "error: TypeError: memory.f: a function", UNCHANGED);
    answers(
        "(o, { memory }) => { memory['\\ud800'] = 1 }",
        "error: TypeError: memory: a key with a lone surrogate",
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { Object.preventExtensions(memory); try { memory.q = 1 } catch (e) { throw new Error(e.name + Reflect.set(memory, 'q', 1) + Reflect.set(memory, 'b', 1)) } }",
        "error: Error: TypeErrorfalsetrue",
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => { Object.freeze(memory) }",
        "error: TypeError: memory: frozen, sealed or not extensible: store a copy",
        UNCHANGED,
    );
    answers(
        "(o, { memory }) => [typeof memory, String(memory), memory instanceof Object, memory.constructor === Object, Array.isArray(memory), Object.isExtensible(memory), Object.isFrozen(memory)]",
        r#"["object","[object Object]",true,true,false,true,false]"#,
        UNCHANGED,
    );
}

#[test]
fn keys_are_fetched_in_promise_jobs_and_by_what_is_called() {
    answers(
        "(o, { memory }) => { Promise.resolve().then(() => { memory.b = memory.c }) }",
        "null",
        r#"{"a":{"x":1},"b":3,"c":3}"#,
    );
    answers(
        "(o, { memory }) => { const m = o.call(memory); return m === memory }",
        "true",
        r#"{"a":{"x":1},"b":2,"c":3,"seen":1}"#,
    );
}

#[test]
fn it_is_copied_as_the_plain_data_it_stands_for_and_shared_as_itself() {
    let code = "(o, { memory, make_object }) => {
        memory.b = 7;
        o.sendOnly({ memory });
        const child = make_object('(o, p) => { p.memory.c++; return p.memory }', { memory });
        make_object('() => 1', { memory: { ...memory }, also: memory });
        return [child.call(null) === memory, memory.c];
    }";
    by_key(code, UNCHANGED, |world| {
        let report = world.send(1, r#"{"@qref":7}"#);
        assert_eq!(result(&report), "[true,4]");
        assert_eq!(report.sent[0].args, r#"{"memory":{"a":{"x":1},"b":7,"c":3}}"#);
        assert_eq!(report.made[0].memory, MadeMemory::Makers);
        assert!(
            matches!(&report.made[1].memory, MadeMemory::New(entries) if entries.len() == 3),
            "{:?}",
            report.made[1]
        );
        assert_eq!(report.made[1].power.statics, r#"{"also":{"a":{"x":1},"b":7,"c":4}}"#.replace("\"c\":4", "\"c\":3"));
        assert_eq!(world.memory(1), r#"{"a":{"x":1},"b":7,"c":4}"#);
    });
}

#[test]
fn a_turn_that_fetches_more_than_its_memory_is_killed() {
    let many: Vec<_> = (0..3000).map(|n| format!("\"key{n}\":\"{}\"", "x".repeat(500))).collect();
    by_key(
        "(o, { memory }) => { try { Object.keys(memory) } catch {} return 1 }",
        &format!("{{{}}}", many.join(",")),
        |world| {
            world.budget.memory_bytes = 1 << 20;
            assert_eq!(limit(&world.send(1, "null")), Limit::Memory);
        },
    );
}
