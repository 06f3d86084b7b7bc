//! Carrying something from one turn to the next beside the memory.

use super::{Attack, held};

#[test]
fn nothing_is_carried_from_turn_to_turn() {
    held(&REMEMBER, 2);
}

/// Each answers whether it finds what it left the time before.
const REMEMBER: [Attack; 30] = [
    ("a property of the function", "function f() { const seen = f.mark === 1; f.mark = 1; return seen }"),
    (
        "a property of the function's prototype",
        "function f() { const seen = f.prototype.mark === 1; f.prototype.mark = 1; return seen }",
    ),
    (
        "a property of an arrow that it is called by",
        "function f(a, p) { const g = f; const seen = Object.hasOwn(g, 'n'); g.n = 1; return seen }",
    ),
    ("a default of a parameter", "function f(a, p, kept = (f.kept ??= [])) { kept.push(1); return kept.length > 1 }"),
    ("the global object", "() => { const seen = globalThis.mark === 1; globalThis.mark = 1; return seen }"),
    (
        "a symbol on the global object",
        "() => { const s = Symbol.for('mark'); const seen = globalThis[s] === 1; globalThis[s] = 1; return seen }",
    ),
    (
        "a name of the global object's own",
        "() => { const seen = Array.mark === 1; try { Array.mark = 1 } catch {} return seen }",
    ),
    (
        "a property of an intrinsic",
        "() => { const seen = 'mark' in []; try { Array.prototype.mark = 1 } catch {} return seen }",
    ),
    (
        "a property of an intrinsic that has no name",
        "() => { const p = Object.getPrototypeOf(async function* () {}).prototype; const seen = p.mark === 1; try { p.mark = 1 } catch {} return seen }",
    ),
    (
        "the order in which a shared set of names is kept",
        "() => { const keys = () => Object.getOwnPropertyNames(Math).join(); const before = keys(); try { const v = Math.abs; delete Math.abs; Math.abs = v } catch {} return before.endsWith(',abs') || before.endsWith(',mark') }",
    ),
    ("power", "(args, power) => { const seen = power.mark === 1; try { power.mark = 1 } catch {} return seen }"),
    (
        "a part of power",
        "(args, power) => { const seen = power.list.length > 1; try { power.list.push(1) } catch {} return seen }",
    ),
    (
        "a deep part of power",
        "(args, power) => { const seen = power.deep.list[0] === 2; try { power.deep.list[0] = 2 } catch {} return seen }",
    ),
    (
        "a native power's property",
        "(args, power) => { const seen = power.clock.mark === 1; try { power.clock.mark = 1 } catch {} return seen }",
    ),
    ("a Reference's property", "args => { const seen = args.mark === 1; try { args.mark = 1 } catch {} return seen }"),
    (
        "the prototype of References",
        "args => { const p = Object.getPrototypeOf(args); const seen = p.mark === 1; try { p.mark = 1 } catch {} return seen }",
    ),
    ("what Q holds", "() => { const seen = Q.mark === 1; try { Q.mark = 1 } catch {} return seen }"),
    (
        "lastIndex of a regular expression that a function keeps",
        "function f() { const r = (f.r ??= /a/g); r.test('aaaa'); return r.lastIndex > 1 }",
    ),
    (
        "a generator that goes on",
        "function f() { f.g ??= (function* () { yield false; yield true })(); return f.g.next().value }",
    ),
    (
        "a promise job that runs later",
        "function f() { const seen = f.mark === 1; Promise.resolve().then(() => { f.mark = 1 }); f.mark = 1; return seen }",
    ),
    (
        "a cache that is keyed by an intrinsic",
        "function f() { f.cache ??= new WeakMap(); const seen = f.cache.has(Array); f.cache.set(Array, 1); return seen }",
    ),
    (
        "a cache that is keyed by a template's strings",
        "function f() { const t = (s => s)`x`; f.cache ??= new WeakMap(); const seen = f.cache.has(t); f.cache.set(t, 1); return seen }",
    ),
    (
        "a cache that is keyed by the Reference",
        "function f(args) { f.cache ??= new WeakMap(); const seen = f.cache.has(args); f.cache.set(args, 1); return seen }",
    ),
    (
        "the stack trace hook",
        "() => { const seen = Error.prepareStackTrace !== undefined; Error.prepareStackTrace = () => ''; return seen }",
    ),
    (
        "the limit of stack traces",
        "() => { const seen = Error.stackTraceLimit === 3; Error.stackTraceLimit = 3; return seen }",
    ),
    ("a class's static part", "function f() { f.C ??= class { static n = 0 }; return f.C.n++ > 0 }"),
    (
        "a class's private static part",
        "function f() { f.C ??= class { static #n = 0; static next() { return this.#n++ } }; return f.C.next() > 0 }",
    ),
    (
        "a bound function's argument",
        "function f() { f.b ??= ((list) => list.push(1)).bind(null, []); return f.b() > 1 }",
    ),
    ("a Proxy's target", "function f() { f.p ??= new Proxy({ n: 0 }, {}); return f.p.n++ > 0 }"),
    (
        "a TextDecoder that is half way",
        "function f() { const seen = TextDecoder.mark === 1; TextDecoder.mark = 1; return seen }",
    ),
];
