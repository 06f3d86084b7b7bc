//! Defects of the engine's kin that were made public, each met with a program of our own that goes where the
//! defect was. Like those in `crash.rs`, each must get through to its own answer.

use super::Attack;
use super::crash::{run, runs_out};

#[test]
fn what_was_reported_as_memory_used_after_it_was_freed_is_not_here() {
    run(&FREED);
}

#[test]
fn what_was_reported_as_freed_while_something_was_awaited_is_not_here() {
    // A turn's promise jobs are part of it, and a rejection that nobody handles is its error.
    let awaited = |program: &str| {
        format!(
            "() => {{ ({program})().then(told => {{ if (told !== true) throw new Error(String(told)) }}); return true }}"
        )
    };
    run(&FREED_LATER.map(|(name, program)| (name, awaited(program))));
}

#[test]
fn what_was_reported_as_memory_beyond_a_bound_is_not_here() {
    run(&BEYOND);
}

#[test]
fn what_was_reported_where_memory_ran_out_ends_the_turn_and_no_more() {
    runs_out(&RAN_OUT);
}

const FREED: [Attack; 10] = [
    (
        "a joined iterator closed by the part it opens",
        "() => { let all, n = 0; const part = { [Symbol.iterator]() { n++; try { all.return() } catch {} return { next: () => ({ done: true }) } } }; \
         all = Iterator.concat(part, part); try { all.next(); all.next() } catch {} return n > 0 }",
    ),
    (
        "a joined iterator closed as it looks for next",
        "() => { let all, n = 0; const inner = { get next() { n++; try { all.return() } catch {} return () => ({ done: true }) } }; \
         all = Iterator.concat({ [Symbol.iterator]: () => inner }, [1]); try { all.next() } catch {} try { all.next() } catch {} return n > 0 }",
    ),
    (
        "a disposer in which the collector runs",
        "() => { if (typeof DisposableStack === 'undefined') return true; const s = new DisposableStack(); let n = 0; \
         const litter = () => { n++; for (let i = 0; i < 30000; i++) { const o = {}; o.o = o } }; \
         s.adopt({}, litter); s.use({ [Symbol.dispose]: litter }); s.defer(litter); s.dispose(); return n === 3 }",
    ),
    (
        "keys of a Proxy that changes whose prototype it is",
        "() => { const o = { a: 1 }; let n = 0; const keys = () => { n++; Object.setPrototypeOf(o, new Proxy({}, { ownKeys: keys })); return [] }; keys(); \
         for (let i = 0; i < 200; i++) try { for (const k in o) keys() } catch {} return n > 200 }",
    ),
    (
        "an array made long, then pushed",
        "() => { for (let n = 0; n < 200; n++) { const a = [{}, {}]; a.length = n * 7; a.push({ n }, { n }); a.length = n; a.push({ n }); \
         delete a[0]; a.unshift({ n }); a.length = 0; a.push(1); if (a.length !== 1) return false } return true }",
    ),
    (
        "weak keys that hold one another last",
        "() => { for (let i = 0; i < 200; i++) { let key = Symbol(), other = {}; const a = new WeakMap(), b = new WeakMap(); let s = new WeakSet(); \
         b.set(other, s); a.set(key, b); s.add(key); b.set(key, a); a.set(other, key); s = key = other = null } return true }",
    ),
    (
        "a sum whose operand takes the variable away",
        "() => { let a = 'a'.repeat(2000), b = 1, c = [1], n = 0; for (let i = 0; i < 50; i++) { a += { toString() { n++; a = null; return 'x' } }; \
         b += { valueOf() { b = { n }; return 1 } }; c += { toString() { c = undefined; return '' } } } return n === 50 && typeof a === 'string' }",
    ),
    (
        "a pattern's iterator closed while it is read",
        "() => { let n = 0; const it = { [Symbol.iterator]() { return this }, next() { return { get value() { n++; return it.return() }, done: false } }, return() { n++; return {} } }; \
         const [a, , b = (() => { throw 1 }), ...[c]] = { [Symbol.iterator]: function* () { try { yield 1; yield 2; yield 3; yield 4 } finally { n++ } } }; const [d] = it; return n > 1 && c === 4 }",
    ),
    (
        "groups whose keys empty what is grouped",
        "() => { const a = Array.from({ length: 50 }, (_, i) => ({ i })); let n = 0; \
         const g = Object.groupBy(a, x => { if (n++ === 10) a.length = 0; return { toString() { a.push({}); a.length = 0; return 'k' } } }); Map.groupBy([1, 2, 3], k => (a.length = 0, k)); return g.k.length > 0 }",
    ),
    (
        "an error whose text asks for another's stack",
        "() => { let n = 0; const e = new Error('x'); Object.defineProperty(e, 'name', { get() { n++; const f = new TypeError('y', { cause: e }); return String(f.stack).slice(0, 1) } }); \
         for (let i = 0; i < 50; i++) { String(e); try { throw e } catch (x) { x.stack } } return n > 0 }",
    ),
];

/// Each is an async function.
const FREED_LATER: [Attack; 5] = [
    (
        "an async generator driven on by what it yields",
        "async () => { let it, n = 0; const driving = { get then() { if (n++ < 5) { it.return(driving); it.next(1); it.throw(2).catch(() => {}) } return undefined } }; \
         it = (async function* () { try { yield driving; yield await driving } finally { yield driving } })(); \
         for (let i = 0; i < 8; i++) try { await it.next() } catch {} return n > 0 }",
    ),
    (
        "an async generator ended while its values are awaited",
        "async () => { async function* g() { for (;;) yield new Promise(f => f({ then(f) { end.return(); f(1) } })) } const end = g(); \
         const all = await Promise.allSettled([end.next(), end.next(), end.return(), end.throw(1).catch(() => 1), end.next()]); return all.length === 5 }",
    ),
    (
        "for await in which the collector runs",
        "async () => { let n = 0; async function* g() { for (let i = 0; i < 5; i++) { for (let j = 0; j < 20000; j++) { const o = {}; o.o = o } yield { i } } } \
         for await (const x of g()) { const held = [x, () => x]; for (let j = 0; j < 20000; j++) { const o = { held }; o.o = o } n += held[1]().i } return n === 10 }",
    ),
    (
        "an async function that throws away what it awaits",
        "async () => { let held = { big: new Array(1000).fill({}) }; const f = async x => { const { big } = x; held = null; await { then(f) { for (let i = 0; i < 20000; i++) { const o = {}; o.o = o } f(1) } }; return big.length }; \
         return await f(held) === 1000 }",
    ),
    (
        "async disposal that ends what is disposed",
        "async () => { if (typeof AsyncDisposableStack === 'undefined') return true; const s = new AsyncDisposableStack(); let n = 0; \
         for (let i = 0; i < 4; i++) s.defer(async () => { n++; await s.disposeAsync(); await { then(f) { s.disposed; f() } } }); await s.disposeAsync(); return n === 4 }",
    ),
];

const BEYOND: [Attack; 11] = [
    (
        "a typed array made of one that shrinks as its maker's prototype is read",
        "() => { let n = 0; const b = new ArrayBuffer(4096, { maxByteLength: 8192 }); const from = new Uint16Array(b); \
         function T() {} const maker = T.bind(); Object.defineProperty(maker, 'prototype', { get() { n++; b.resize(n % 2 ? 8 : 8192); return Float64Array.prototype } }); \
         for (const A of [Uint8Array, Float64Array, Int32Array]) for (let i = 0; i < 4; i++) try { Reflect.construct(A, [from], maker); Reflect.construct(A, [b, 0, 4], maker) } catch {} return n > 0 }",
    ),
    (
        "the last index in a typed array that shrinks",
        "() => { const b = new ArrayBuffer(4096, { maxByteLength: 4096 }); let n = 0; for (const A of [Int8Array, Float64Array, BigInt64Array]) { b.resize(4096); const a = new A(b); \
         for (const from of [-1, 4095, 2 ** 40, -(2 ** 40)]) { b.resize(4096); a.lastIndexOf(A === BigInt64Array ? 0n : 0, { valueOf() { n++; b.resize(16); return from } }) } } return n === 12 }",
    ),
    (
        "atomic operations on a buffer that moves",
        "() => { if (typeof Atomics === 'undefined') return true; const b = new ArrayBuffer(8, { maxByteLength: 1 << 20 }); const a = new Int32Array(b); let n = 0; \
         for (const m of ['add', 'and', 'exchange', 'or', 'store', 'sub', 'xor', 'compareExchange']) try { b.resize(8); Atomics[m](a, 1, { valueOf() { n++; b.resize(n % 2 ? 1 << 20 : 0); return 1 } }, 2) } catch {} return n === 8 }",
    ),
    (
        "big integers and their texts, digit by digit",
        "() => { for (let r = 2; r <= 36; r++) for (const n of [1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300]) { const t = (r - 1).toString(r).repeat(n); \
         let x = 0n; for (const d of t) x = x * BigInt(r) + BigInt(parseInt(d, r)); if (x.toString(r) !== t || BigInt(x.toString()) !== x || BigInt('0x' + x.toString(16)) !== x) return false } return true }",
    ),
    (
        "regular expressions cut off anywhere",
        "() => { let n = 0; const p = '(?<name>[\\\\p{L}--[a-z\\\\q{abc|d}]]+)(?<=a{2,3}?)\\\\k<name>(?i-m:[^\\\\x41-\\\\u{1f600}]|\\\\cA|\\\\b)*?$'; \
         for (let i = 0; i <= p.length; i++) for (const f of ['', 'u', 'v', 'gimsy']) { n++; try { new RegExp(p.slice(0, i), f).exec('aabc\\u{1f600}') } catch (e) { if (!(e instanceof SyntaxError)) return false } \
         try { new RegExp(p.slice(i), f).test('abc') } catch {} } return n > 300 }",
    ),
    (
        "a slice of a buffer whose end takes it away",
        "() => { let n = 0; for (const m of ['slice', 'resize', 'transfer', 'transferToFixedLength']) { const b = new ArrayBuffer(1 << 16, { maxByteLength: 1 << 17 }); const gone = { valueOf() { n++; b.detached || b.transfer(); return 1 << 15 } }; \
         try { b[m](m === 'slice' ? 0 : gone, gone) } catch {} } return n >= 4 }",
    ),
    (
        "a view whose length follows a buffer that shrinks under it",
        "() => { const b = new ArrayBuffer(64, { maxByteLength: 128 }); const v = new DataView(b, 8), a = new Uint8Array(b, 8); let n = 0; \
         for (const size of [0, 4, 8, 9, 64, 128]) { b.resize(size); for (const f of [() => v.byteLength, () => v.getUint32(52), () => a.at(-1), () => Object.defineProperty(a, 55, { value: 1 }), () => a.toReversed().length, () => [...a].length, () => Object.keys(a).length, () => a.subarray(1).length]) try { f(); n++ } catch { n++ } } return n === 48 }",
    ),
    (
        "the sum of numbers at the edge",
        "() => { if (!Math.sumPrecise) return true; const m = Number.MAX_VALUE, s = 2 ** -1074; const many = Array.from({ length: 5000 }, (_, i) => (i % 2 ? -m : m)); \
         return Math.sumPrecise([...many, s]) === s && Math.sumPrecise([m, m, -m]) === m && Math.sumPrecise([m, m]) === Infinity }",
    ),
    (
        "an array that stops being dense while it is sorted, joined and copied",
        "() => { for (const m of ['toSorted', 'sort', 'join', 'toSpliced', 'concat', 'flat']) { const a = Array.from({ length: 64 }, (_, i) => i); \
         a[10] = { toString() { a[1 << 20] = 1; delete a[3]; a.length = 5; return 'x' }, valueOf() { return 1 } }; a[m]() } return true }",
    ),
    (
        "an object that is a key of itself",
        "() => { const o = { toString() { delete this[this] } }; try { delete o[o]; return false } catch (e) { return e instanceof RangeError || e instanceof InternalError } }",
    ),
    (
        "strings of two kinds, put together, cut and searched",
        "() => { let s = ''; for (let i = 0; i < 600; i++) s = (i % 3 ? s + 'a' : '\\u0416' + s) + s.slice(-7).padStart(9, '\\u{1f600}'); \
         return s.lastIndexOf('\\u0416') >= 0 && s.replaceAll('a', '\\u0416').length === s.length && s.at(-1) === s[s.length - 1] && s.split('').join('') === s && s.normalize('NFD').length > 0 && s.isWellFormed() !== undefined }",
    ),
];

const RAN_OUT: [Attack; 7] = [
    ("a promise and its functions", "Promise.withResolvers(); new Promise(f => f({})); Promise.all([1, {}])"),
    ("properties from a typed array", "({ ...new Int8Array(1 << (4 + i % 12)) })"),
    ("an error and its stack", "const f = n => n ? f(n - 1) : new Error('x'.repeat(i)).stack; f(i)"),
    (
        "shapes of objects",
        "const o = {}; for (let j = 0; j < 200; j++) { o['k' + j + i] = j; if (j % 3 === 0) delete o['k' + (j - 1) + i] }",
    ),
    ("arguments put in arrays", "const f = (...a) => [a, ...a]; f(...new Array(1 << (i % 14)).fill(f))"),
    (
        "regular expressions and their groups",
        "'ab'.repeat(1000).replace(new RegExp('(?<x>a)|(b)', 'dg'), (...a) => a.length); /(?<y>.)/d.exec('q' + i).indices",
    ),
    (
        "texts from ropes",
        "let s = 'a'; for (let j = 0; j < 18; j++) s = s + j + s; s.indexOf('b'); JSON.stringify({ s }); BigInt('9'.repeat(1 << (i % 12)))",
    ),
];
