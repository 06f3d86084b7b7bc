//! Using up what all share: time, memory, the stack, the queue, the disk.

use qrt_shared::view::Outcome;
use qrt_tests::Vat;

use super::{Attack, Failures, Neighbour, told, vat};

/// Each program goes on for its argument `n`: in the attack without end, in the control for a moment.
fn killed(vat: &Vat, attacks: &[Attack], small: &str) {
    let neighbour = Neighbour::of(vat);
    let mut failures = Failures::default();
    for (name, program) in attacks {
        let object = vat.object(program);
        let ended = object.send("1e9");
        failures.expect(ended.outcome == Outcome::Killed, || format!("{name}: {}", told(&ended)));
        assert_eq!(object.memory(), "{}", "{name}: nothing of it is kept");
        neighbour.is_well(name);
        let control = object.send(small);
        failures.expect(control.outcome == Outcome::Ok, || format!("{name}: the control: {}", told(&control)));
    }
}

#[test]
fn what_never_ends_is_ended() {
    killed(&vat(), &ENDLESS, "3");
}

#[test]
fn what_takes_all_memory_is_ended() {
    killed(&vat(), &MEMORY, "3");
}

#[test]
fn what_floods_the_vat_is_ended() {
    killed(&vat(), &FLOODS, "3");
}

#[test]
fn what_the_engine_never_interrupts_is_ended() {
    killed(&vat(), &UNPOLLED, "3");
}

/// Loops in all places where the engine runs code.
const ENDLESS: [Attack; 27] = [
    ("a loop", "n => { for (let i = 0; i < n; i++); }"),
    (
        "a loop that writes first",
        "(n, power) => { power.memory.x = 1; for (let i = 0; i < n; i++); delete power.memory.x }",
    ),
    (
        "a loop under try and finally",
        "n => { let i = 0; for (;;) { try { for (; i < n; i++); return } catch {} finally { i++ } } }",
    ),
    (
        "a loop that catches its end",
        "n => { let i = 0; while (i < n) { try { while (i < n) i++ } catch (e) { i = 0 } } }",
    ),
    ("a loop in a getter", "n => ({ get a() { for (let i = 0; i < n; i++); } }).a"),
    ("a loop in valueOf", "n => { +{ valueOf() { for (let i = 0; i < n; i++); return 1 } } }"),
    ("a loop in a Proxy", "n => new Proxy({}, { get() { for (let i = 0; i < n; i++); } }).a"),
    (
        "a loop in an iterator",
        "n => { let i = 0; for (const x of { [Symbol.iterator]: () => ({ next: () => ({ done: i++ >= n }) }) }); }",
    ),
    (
        "a loop in a generator",
        "n => { const g = (function* () { for (let i = 0; i < n; i++) yield i })(); for (const x of g); }",
    ),
    ("a loop in a comparator", "n => { [2, 1].sort(() => { for (let i = 0; i < n; i++); return 0 }) }"),
    ("a loop in a reviver", "n => { JSON.parse('[1]', () => { for (let i = 0; i < n; i++); }) }"),
    ("a loop in toJSON", "n => { JSON.stringify({ toJSON() { for (let i = 0; i < n; i++); } }) }"),
    ("a loop in a replacer", "n => { 'a'.replace(/a/, () => { for (let i = 0; i < n; i++); }) }"),
    (
        "a loop in a species constructor",
        "n => { const a = [1]; a.constructor = { get [Symbol.species]() { for (let i = 0; i < n; i++); return Array } }; a.map(x => x) }",
    ),
    (
        "a loop in an executor",
        "n => { try { new Promise(() => { for (let i = 0; i < n; i++); }).catch(() => {}) } catch {} }",
    ),
    (
        "a loop in a thenable",
        "n => { Promise.resolve({ then(f) { for (let i = 0; i < n; i++); f() } }).catch(() => {}) }",
    ),
    (
        "a loop in a promise job",
        "n => { Promise.resolve().then(() => { for (let i = 0; i < n; i++); }).catch(() => {}) }",
    ),
    ("a loop of awaits", "n => { (async () => { for (let i = 0; i < n; i++) await 1 })().catch(() => {}) }"),
    (
        "promise jobs that make promise jobs",
        "n => { let i = 0; const go = () => { if (i++ < n) Promise.resolve().then(go) }; go() }",
    ),
    (
        "a loop in an async generator",
        "n => { (async () => { for await (const x of (async function* () { for (let i = 0; i < n; i++) yield i })()); })() }",
    ),
    (
        "a loop in an iterator helper",
        "n => { let i = 0; ({ __proto__: Iterator.prototype, next: () => ({ done: i++ >= n }) }).drop(n + 1).next() }",
    ),
    ("a loop in Array.from", "n => { let i = 0; Array.from({ length: 1 }, () => { for (let i = 0; i < n; i++); }) }"),
    ("a loop in a class's static block", "n => { class A { static { for (let i = 0; i < n; i++); } } }"),
    ("a loop in a tag", "n => { (() => { for (let i = 0; i < n; i++); })`x` }"),
    ("a loop in a default", "(n, p, x = (() => { for (let i = 0; i < n; i++); })()) => {}"),
    (
        "a loop in a return of an iterator",
        "n => { for (const x of { [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return() { for (let i = 0; i < n; i++); return {} } }) }) break }",
    ),
    ("a regular expression that goes back and back", "n => { /^(a+)+$/.test('a'.repeat(Math.min(n, 40)) + 'b') }"),
];

/// What grows until it is refused, whatever it catches.
const MEMORY: [Attack; 18] = [
    ("an array", "n => { const a = []; try { for (let i = 0; i < n; i++) a.push(i) } catch {} }"),
    ("an array of arrays", "n => { let a; try { for (let i = 0; i < n; i++) a = [a] } catch {} }"),
    ("an object's properties", "n => { const a = {}; try { for (let i = 0; i < n; i++) a['k' + i] = i } catch {} }"),
    (
        "a string that doubles",
        "n => { let s = 'x'; try { for (let i = 0; i < n && s.length < 2 ** 29; i++) { s += s; s.charCodeAt(0) } for (let a = []; n > 9; ) a.push(s + a.length) } catch {} }",
    ),
    (
        "a rope of strings",
        "n => { let s = ''; try { for (let i = 0; i < n; i++) s += 'xxxxxxxxxxxxxxxxxxxxxxxx' + i } catch {} }",
    ),
    (
        "a repeated string",
        "n => { try { const a = []; for (let i = 0; i < n; i++) a.push('ab'.repeat(1 << 20) + i) } catch {} }",
    ),
    (
        "a padded string",
        "n => { try { const a = []; for (let i = 0; i < n; i++) a.push('a'.padEnd(1 << 20) + i) } catch {} }",
    ),
    ("a map", "n => { const m = new Map(); try { for (let i = 0; i < n; i++) m.set({}, i) } catch {} }"),
    ("a set of symbols", "n => { const m = new Set(); try { for (let i = 0; i < n; i++) m.add(Symbol(i)) } catch {} }"),
    (
        "names that are never used again",
        "n => { const a = []; try { for (let i = 0; i < n; i++) a.push(Symbol.for('k' + i)) } catch {} }",
    ),
    ("closures", "n => { let f = () => 1; try { for (let i = 0; i < n; i++) { const g = f; f = () => g } } catch {} }"),
    ("promises", "n => { const a = []; try { for (let i = 0; i < n; i++) a.push(new Promise(() => {})) } catch {} }"),
    (
        "generators",
        "n => { const a = []; try { for (let i = 0; i < n; i++) { const g = (function* () { yield 1 })(); g.next(); a.push(g) } } catch {} }",
    ),
    ("buffers", "n => { const a = []; try { for (let i = 0; i < n; i++) a.push(new ArrayBuffer(1 << 20)) } catch {} }"),
    (
        "a buffer that grows",
        "n => { try { const b = new ArrayBuffer(1, { maxByteLength: 2 ** 30 }); b.resize(Math.min(n, 2 ** 30)) } catch {} if (n > 9) for (;;); }",
    ),
    (
        "regular expressions",
        "n => { const a = []; try { for (let i = 0; i < n; i++) a.push(new RegExp('a{' + i + '}b[^c]'.repeat(50))) } catch {} }",
    ),
    ("a big number", "n => { let b = 3n; try { for (let i = 0; i < n; i++) b *= b } catch {} if (n > 9) for (;;); }"),
    (
        "errors with their stacks",
        "n => { const a = []; try { for (let i = 0; i < n; i++) a.push(new Error('x'.repeat(100) + i)) } catch {} }",
    ),
];

/// What a turn may do only so often.
const FLOODS: [Attack; 8] = [
    (
        "messages",
        "(n, power) => { const o = power.make_object('() => 1'); try { for (let i = 0; i < n; i++) o.sendOnly(i) } catch {} }",
    ),
    ("objects", "(n, power) => { try { for (let i = 0; i < n; i++) power.make_object('() => 1') } catch {} }"),
    ("accounts", "(n, power) => { try { for (let i = 0; i < n; i++) power.make_account('() => 1') } catch {} }"),
    ("log lines", "(n, power) => { try { for (let i = 0; i < n; i++) power.log(i) } catch {} }"),
    ("console lines", "n => { try { for (let i = 0; i < n; i++) console.log(i) } catch {} }"),
    (
        "bytes of messages",
        "(n, power) => { const o = power.make_object('() => 1'); try { for (let i = 0; i < n; i++) o.sendOnly('x'.repeat(1 << 19)) } catch {} }",
    ),
    (
        "bytes of memory",
        "(n, power) => { try { for (let i = 0; i < n; i++) power.memory['k' + i] = 'x'.repeat(1 << 19) } catch {} if (n === 3) for (const key in power.memory) delete power.memory[key] }",
    ),
    (
        "levels of call",
        "(n, power) => { const o = power.make_object('([n, self]) => { try { if (n > 0) self.call([n - 1, self]) } catch {} }'); try { o.call([n, o]) } catch {} }",
    ),
];

/// Built-ins that the engine does not interrupt: the deadline's part.
const UNPOLLED: [Attack; 17] = [
    ("indexOf of a long nothing", "n => { [].indexOf.call({ length: n }, 1) }"),
    ("lastIndexOf of a long nothing", "n => { [].lastIndexOf.call({ length: n * n }, 1) }"),
    ("includes of a long nothing", "n => { [].includes.call({ length: n * n }, 1) }"),
    ("reverse of a long nothing", "n => { [].reverse.call({ length: n * n }) }"),
    ("shift of a long nothing", "n => { [].shift.call({ length: n * n }) }"),
    ("unshift of a long nothing", "n => { [].unshift.call({ length: n * (n > 9 ? 4000000 : 1) }, 1) }"),
    ("splice of a long nothing", "n => { [].splice.call({ length: n * n }, 0, 1) }"),
    ("copyWithin of a long nothing", "n => { [].copyWithin.call({ length: n * n }, 1, 0) }"),
    (
        "fill of a long something",
        "n => { [].fill.call(new Proxy({ length: n * n }, { set: () => true, defineProperty: () => true }), 1) }",
    ),
    ("join of a long nothing", "n => { [].join.call({ length: n }, '') }"),
    ("sort of holes", "n => { const a = []; a.length = n; a.sort() }"),
    ("the text of a long array", "n => { new Array(n) + '' }"),
    ("String.raw of a long nothing", "n => { String.raw({ raw: { length: n * n } }) }"),
    ("a big number's text", "n => { for (let i = 0; i < n; i++) (3n ** BigInt(Math.min(n, 600000))).toString() }"),
    (
        "a search that is quadratic",
        "n => { const k = Math.min(n, 2000000); ('a'.repeat(k)).indexOf('a'.repeat(k / 2 | 0) + 'b') }",
    ),
    (
        "the keys of a big object, again and again",
        "n => { const o = {}; for (let i = 0; i < Math.min(n, 30000); i++) o[i + 'k'] = i; for (let i = 0; i < n; i++) Object.keys(o) }",
    ),
    (
        "a regular expression that takes long to read",
        "n => { for (let i = 0; i < n; i++) new RegExp('(?:a|b|[c-z]){1,3}'.repeat(Math.min(n, 3000))) }",
    ),
];
