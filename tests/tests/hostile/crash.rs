//! Where engines have had bugs: code that runs in the middle of a built-in and pulls the ground away, numbers
//! at the edge, memory that runs out half way. Each must get through to its own answer.

use qrt_shared::view::Outcome;

use super::{Attack, Failures, Neighbour, told, vat};

#[test]
fn code_in_the_middle_of_a_built_in_pulls_no_ground_away() {
    run(&REENTRANT);
}

#[test]
fn numbers_at_the_edge_stay_there() {
    run(&BOUNDS);
}

#[test]
fn depth_of_every_kind_ends_in_an_error() {
    run(&DEPTH);
}

#[test]
fn memory_that_runs_out_half_way_ends_the_turn_and_no_more() {
    runs_out(&OUT_OF_MEMORY);
}

/// Each step runs again and again with no memory left, which is the end of its turn; with room it gets through.
pub(super) fn runs_out(steps: &[Attack]) {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    let mut failures = Failures::default();
    for (name, step) in steps {
        // Little is left when the step runs; whatever it makes of it, the turn is over.
        let code = format!(
            "n => {{ const full = []; let size = 1 << 20; while (n && size > 64) {{ try {{ full.push(new ArrayBuffer(size)) }} catch {{ size >>= 1 }} }} \
             for (let i = 0; i < (n ? 50 : 1); i++) {{ try {{ {step} }} catch {{}} }} return 'through' }}"
        );
        let object = vat.object(&code);
        let ended = object.send("1");
        failures.expect(ended.outcome == Outcome::Killed, || format!("{name}: {}", told(&ended)));
        neighbour.is_well(name);
        let control = told(&object.send("0"));
        failures.expect(control == r#""through""#, || format!("{name}: the control, with room: {control}"));
    }
}

/// Each program runs to its end, where it answers `true`: it saw what ECMA-262 says, or the engine said no.
pub(super) fn run(attacks: &[(&str, impl AsRef<str>)]) {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    let mut failures = Failures::default();
    for (name, program) in attacks {
        let ended = vat.object(program.as_ref()).send("null");
        failures.expect(told(&ended) == "true", || format!("{name}: {}", told(&ended)));
        neighbour.is_well(name);
    }
}

const REENTRANT: [Attack; 46] = [
    (
        "a comparator that empties the array",
        "() => { const a = Array.from({ length: 100 }, (_, i) => 100 - i); a.sort((x, y) => { a.length = 0; return x - y }); return a.length <= 100 }",
    ),
    (
        "a comparator that grows the array",
        "() => { const a = [3, 2, 1]; let n = 0; a.sort((x, y) => { if (n++ < 50) a.push(...new Array(100).fill(0)); return x - y }); return a.length > 3 }",
    ),
    (
        "a comparator that lies",
        "() => { const a = Array.from({ length: 1000 }, (_, i) => i); let n = 0; a.sort(() => (n = (n * 7 + 3) % 11) - 5); return a.length === 1000 && new Set(a).size === 1000 }",
    ),
    (
        "a comparator that throws half way",
        "() => { const a = Array.from({ length: 100 }, (_, i) => ({ i })); let n = 0; try { a.sort(() => { if (n++ > 40) throw 1; return -1 }) } catch {} return a.every(x => typeof x.i === 'number') }",
    ),
    (
        "an index that shrinks the array",
        "() => { const a = new Array(1000).fill({}); const i = { valueOf() { a.length = 1; return 0 } }; return [a.slice(i), a.indexOf(5, i), a.lastIndexOf(5, i), a.includes(5, i), a.fill(1, i), a.copyWithin(0, i), a.at(i)].length === 7 }",
    ),
    (
        "an index of splice that shrinks the array",
        "() => { const a = new Array(1000).fill({}); a.splice({ valueOf() { a.length = 2; return 0 } }, 900, 1, 2, 3); return a.length < 1000 }",
    ),
    (
        "an index of with that shrinks the array",
        "() => { const a = [1, 2, 3]; try { a.with({ valueOf() { a.length = 0; return 2 } }, 9) } catch {} try { a.toSpliced({ valueOf() { a.length = 0; return 0 } }, 1) } catch {} return a.length === 0 }",
    ),
    (
        "a callback that empties the array",
        "() => { const a = [1, 2, 3, 4]; let n = 0; for (const m of ['forEach', 'map', 'filter', 'some', 'every', 'find', 'findLast', 'findIndex', 'flatMap']) { const b = [...a]; b[m](() => { b.length = 0; n++ }) } return n >= 9 }",
    ),
    (
        "a reducer that empties the array",
        "() => { const a = [1, 2, 3, 4]; a.reduceRight((x, y) => { a.length = 0; return y }); return a.length === 0 }",
    ),
    (
        "a species that returns the array itself",
        "() => { const a = [1, 2, 3, 4]; a.constructor = { [Symbol.species]: function () { return a } }; try { a.splice(0, 2); a.concat(a); a.filter(() => true); a.slice(1); a.flat() } catch {} return Array.isArray(a) }",
    ),
    (
        "a species that returns something short",
        "() => { const a = [1, 2, 3]; a.constructor = { [Symbol.species]: function () { return Object.freeze([]) } }; try { a.map(x => x) } catch (e) { return e instanceof TypeError } }",
    ),
    (
        "spreadable lengths that lie",
        "() => { const o = { [Symbol.isConcatSpreadable]: true, length: 2 ** 53 - 1 }; try { [].concat([1], o) } catch (e) { return e instanceof TypeError } }",
    ),
    (
        "a concat that changes what comes after",
        "() => { const b = [1, 2, 3]; const a = { [Symbol.isConcatSpreadable]: true, length: 1, get 0() { b.length = 0; return 1 } }; return [].concat(a, b).length >= 1 }",
    ),
    (
        "a join that changes the array",
        "() => { const a = [1, { toString() { a.length = 0; return 'x' } }, 3, 4]; return typeof a.join() === 'string' }",
    ),
    (
        "a join of itself",
        "() => { const a = [1]; a.push(a, [a]); try { a.join(); return true } catch (e) { return e instanceof RangeError } return typeof a.join() === 'string' }",
    ),
    (
        "a flat of itself",
        "() => { const a = [1]; a.push(a); try { return a.flat(20).length >= 20 } catch { return true } }",
    ),
    (
        "a length whose value changes the array",
        "() => { const a = [1, 2, 3]; try { Object.defineProperty(a, 'length', { value: { valueOf() { a.push(4); return 1 } } }) } catch {} a.push(5); return a.length > 0 }",
    ),
    (
        "a fill that takes the buffer away",
        "() => { const a = new Uint8Array(1000); const v = { valueOf() { a.buffer.transfer(); return 1 } }; try { a.fill(v) } catch {} return a.length === 0 }",
    ),
    (
        "an index that takes the buffer away",
        "() => { const out = []; for (const m of ['slice', 'subarray', 'copyWithin', 'indexOf', 'includes', 'lastIndexOf', 'at', 'with']) { const a = new Float64Array(100); try { a[m](0, { valueOf() { a.buffer.transfer(); return 5 } }) } catch {} out.push(a.length) } return out.length === 8 }",
    ),
    (
        "a set that takes the buffer away",
        "() => { const a = new Int32Array(100); try { a.set({ length: 50, get 3() { a.buffer.transfer(); return 1 } }) } catch {} return a.length === 0 }",
    ),
    (
        "a set from its own buffer",
        "() => { const b = new ArrayBuffer(64); const a = new Uint8Array(b), w = new Uint16Array(b, 0, 16); a.set([1, 2, 3]); w.set(a.subarray(0, 16)); a.set(w, 3); return a.length === 64 }",
    ),
    (
        "a comparator that takes the buffer away",
        "() => { const a = new Uint16Array(500).map((_, i) => 500 - i); try { a.sort((x, y) => { a.buffer.transfer(); return x - y }) } catch {} return a.length === 0 }",
    ),
    (
        "a comparator that shrinks the buffer",
        "() => { const b = new ArrayBuffer(1000, { maxByteLength: 2000 }); const a = new Uint8Array(b); a.sort((x, y) => { b.resize(10); return 1 }); return a.length === 10 }",
    ),
    (
        "a callback that shrinks the buffer",
        "() => { const b = new ArrayBuffer(1000, { maxByteLength: 2000 }); const a = new BigInt64Array(b); let n = 0; a.forEach(() => { b.resize(n++ ? 2000 : 8) }); a.map(() => { b.resize(0); return 1n }); return n > 0 }",
    ),
    (
        "a species that gives a view of the same buffer",
        "() => { const b = new ArrayBuffer(64, { maxByteLength: 128 }); const a = new Uint8Array(b); a.constructor = { [Symbol.species]: function (n) { b.resize(16); return new Uint8Array(b) } }; try { a.slice(8, 60) } catch {} try { a.filter(() => true) } catch {} return b.byteLength === 16 }",
    ),
    (
        "a view's value that shrinks its buffer",
        "() => { const b = new ArrayBuffer(16, { maxByteLength: 32 }); const v = new DataView(b); let told = 0; for (const m of ['setFloat64', 'setInt8', 'setUint32']) { try { v[m](8, { valueOf() { b.resize(4); return 1 } }) } catch { told++ } b.resize(16) } return told === 3 }",
    ),
    (
        "a view of a buffer that is gone",
        "() => { const b = new ArrayBuffer(16); const v = new DataView(b, 8); b.transfer(32); try { v.getInt8(0) } catch (e) { return e instanceof TypeError } }",
    ),
    (
        "a buffer's species that gives a short one",
        "() => { const b = new ArrayBuffer(100); b.constructor = { [Symbol.species]: function () { return new ArrayBuffer(1) } }; try { b.slice(0, 50) } catch (e) { return e instanceof TypeError } }",
    ),
    (
        "a map that is emptied while it is walked",
        "() => { const m = new Map([[1, 1], [2, 2], [3, 3]]); let n = 0; m.forEach((v, k) => { m.delete(k); m.clear(); if (n++ < 20) m.set(k + 10, 1) }); for (const [k] of m) { m.clear(); if (n++ < 60) m.set(n, n) } return n > 20 }",
    ),
    (
        "a set's method with one that changes it",
        "() => { const s = new Set([1, 2, 3]); const other = { size: 3, has: () => { s.clear(); s.add(9); return true }, keys: () => [1, 2, 3].values() }; let left = 100; other.has = () => { if (left-- <= 0) throw 1; s.clear(); s.add(9); return true }; for (const m of ['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom']) try { s[m](other) } catch {} return s.size >= 0 }",
    ),
    (
        "a set's method with keys that change it",
        "() => { const s = new Set([1, 2, 3, 4]); const other = { size: 1, has: () => true, keys: () => ({ next() { s.clear(); return { done: s.size === 0 && true, value: 1 } } }) }; s.intersection(other); s.difference(other); return s.size === 0 }",
    ),
    (
        "a generator that runs itself",
        "() => { const g = (function* () { try { g.next() } catch (e) { yield e instanceof TypeError } })(); return g.next().value }",
    ),
    (
        "a generator that is returned from in its end",
        "() => { const g = (function* () { try { yield 1 } finally { try { g.return(5) } catch {} yield 2 } })(); g.next(); g.return(3); return g.next().done }",
    ),
    (
        "an iterator helper that runs itself",
        "() => { let h; const it = { __proto__: Iterator.prototype, next() { try { h.next() } catch (e) { return { done: false, value: e instanceof TypeError } } return { done: true } } }; h = it.map(x => x); return h.next().value }",
    ),
    (
        "an iterator helper that is closed in its callback",
        "() => { let h; h = [1, 2, 3].values().flatMap(x => { try { h.return() } catch {} return [x] }); try { h.next() } catch {} return true }",
    ),
    (
        "iterator helpers of bad counts",
        "() => { let n = 0; for (const bad of [NaN, -1, 'x', { valueOf() { throw 1 } }]) for (const m of ['take', 'drop']) try { [].values()[m](bad) } catch { n++ } return n === 8 }",
    ),
    (
        "iterators that are put together and taken apart",
        "() => { const a = [1, 2]; const i = Iterator.concat(a, { [Symbol.iterator]: () => ({ next() { a.length = 0; return { done: true } } }) }); return [...i].length <= 2 }",
    ),
    (
        "lastIndex that changes the regular expression",
        "() => { const r = /a/g; r.lastIndex = { valueOf() { r.compile('b{3}(c)', 'y'); return 0 } }; r.exec('aaabbbc'); return true }",
    ),
    (
        "exec that is not what it was",
        "() => { const r = /a/g; let n = 0; r.exec = function () { return n++ < 3 ? { index: 2 ** 40, 0: 'x'.repeat(9), length: 3 } : null }; return typeof 'abc'.replace(r, '$1$2$<x>') === 'string' && ['abc'.match(r)].length === 1 }",
    ),
    (
        "a split by a species that lies",
        "() => { const r = /b/; r.constructor = { [Symbol.species]: function () { return { exec() { this.lastIndex = 1e9; return { length: 1e3, 0: '' } }, lastIndex: 0 } } }; try { return Array.isArray(r[Symbol.split]('abc')) } catch { return true } }",
    ),
    (
        "a Proxy revoked in its own trap",
        "() => { const p = Proxy.revocable({}, { get() { p.revoke(); return 1 }, has() { p.revoke(); return true } }); return p.proxy.x === 1 }",
    ),
    (
        "a Proxy that says what cannot be",
        "() => { const p = new Proxy(Object.freeze({ a: 1 }), { get: () => 2, ownKeys: () => ['b', 'b'], getOwnPropertyDescriptor: () => ({ value: 3, configurable: true }) }); let n = 0; for (const f of [() => p.a, () => Reflect.ownKeys(p), () => Object.getOwnPropertyDescriptor(p, 'a')]) try { f() } catch { n++ } return n === 3 }",
    ),
    (
        "toJSON that changes what is written",
        "() => { const a = [1, { toJSON() { a.length = 0; return 1 } }, 3, 4, 5]; return typeof JSON.stringify(a) === 'string' }",
    ),
    (
        "a reviver that changes what is read",
        "() => { const o = JSON.parse('[1,[2,3],{\"a\":4}]', function (k, v) { if (Array.isArray(this)) this.length = 1; return v }); return Array.isArray(o) }",
    ),
    (
        "resolving functions that are called again and again",
        "() => { const P = function (f) { f(x => x, x => x); try { f(x => x, x => x) } catch {} }; P.resolve = x => ({ then(f, r) { f(1); f(2); r(3) } }); try { Promise.all.call(P, [1, 2, 3]); Promise.allSettled.call(P, [1]); Promise.any.call(P, [1]) } catch {} return true }",
    ),
    (
        "a stack of disposals that disposes itself",
        "() => { if (typeof DisposableStack === 'undefined') return true; const s = new DisposableStack(); s.defer(() => { try { s.defer(() => {}) } catch {} s.dispose(); try { s.move() } catch {} }); s.dispose(); return s.disposed }",
    ),
];

const BOUNDS: [Attack; 24] = [
    (
        "big integers of many bits",
        "() => { let n = 0; for (const f of [() => BigInt.asIntN(2 ** 53 - 1, 1n), () => BigInt.asUintN(2 ** 53 - 1, -1n), () => 1n << (2n ** 64n), () => 2n ** (2n ** 40n), () => 1n >> (2n ** 64n)]) try { f(); n++ } catch { n++ } return n === 5 }",
    ),
    (
        "big integers at the edge of a word",
        "() => { const out = []; for (const b of [31n, 32n, 63n, 64n, 65n, 127n, 128n]) { const x = 2n ** b; out.push((x - 1n) * (x + 1n) === x * x - 1n, -x / (x - 1n) === -1n, BigInt(x.toString()) === x, BigInt('0x' + x.toString(16)) === x, BigInt.asIntN(Number(b), x) === 0n) } return out.every(x => x) }",
    ),
    (
        "big integers of little",
        "() => [0n, -0n, 1n, -1n].every(x => x * 0n === 0n && x ** 0n === 1n && BigInt.asUintN(0, x) === 0n && (x | 0n) === x && ~~x === x)",
    ),
    (
        "big integers divided by nothing",
        "() => { let n = 0; for (const f of [() => 1n / 0n, () => 1n % 0n, () => 2n ** -1n]) try { f() } catch (e) { n += e instanceof RangeError } return n === 3 }",
    ),
    (
        "texts of big integers that are none",
        "() => { let n = 0; for (const t of ['0x', '0b2', '1n', '--1', '1_0', '0x-1', '1'.repeat(100) + 'x']) try { BigInt(t) } catch (e) { n += e instanceof SyntaxError } return n === 7 }",
    ),
    (
        "numbers in every base",
        "() => { let ok = true; for (let r = 2; r <= 36; r++) for (const x of [0.1, 1e21, 2 ** -1074, Number.MAX_VALUE, -0, 255.5]) ok &&= typeof x.toString(r) === 'string'; return ok }",
    ),
    (
        "numbers of many digits",
        "() => { let n = 0; for (const x of [1e21, 5e-324, 0.1, 123.456]) for (const d of [0, 1, 20, 100]) { x.toFixed(d); x.toExponential(d); if (d) x.toPrecision(d); n++ } for (const d of [101, -1, NaN]) try { (1).toPrecision(d) } catch { n++ } return n >= 18 }",
    ),
    (
        "repetition of regular expressions",
        "() => { let n = 0; for (const s of ['a{2147483647}', 'a{2147483648}', 'a{99999999999999999999}', '(a?){1000}']) try { new RegExp(s).test('aaa'); n++ } catch { n++ } return n === 4 }",
    ),
    (
        "regular expressions that look back",
        "() => [/(?<=(\\d+)(\\d+))$/.exec('1053')[2] === '053', /(?<!a{3})b/.test('aab'), /(?<=^.{0,100})x/.test('y'.repeat(50) + 'x'), /(?<=\\1(a))b/.test('aab')].every(x => x)",
    ),
    (
        "groups that point nowhere and at themselves",
        "() => { let n = 0; for (const s of ['(a\\\\1)', '\\\\1(a)', '(?:(a)|b)*\\\\1', '(?<x>a)\\\\k<x>', '(?=(a))\\\\1', '((((((((((a))))))))))\\\\10']) { new RegExp(s).exec('aaab'); n++ } return n === 6 }",
    ),
    (
        "many groups",
        "() => { try { return new RegExp('(a)'.repeat(254)).exec('a'.repeat(254)).length === 255 } catch { return true } }",
    ),
    ("more groups than there may be", "() => { try { new RegExp('(a)'.repeat(70000)) } catch {} return true }"),
    (
        "classes of all characters",
        "() => [/[\\0-\\u{10ffff}]/u.test('\\u{1f600}'), /[^]/.test('a'), /[\\p{L}--[a-z]]/v.test('A'), /[\\u{1f600}-\\u{1f64f}]/ui.test('\\u{1f601}'), /[^\\W]/iu.test('\\u017f')].every(x => x)",
    ),
    (
        "halves of characters",
        "() => { const s = '\\ud83d\\ude00'; return [s[0] + s[1] === s, /^.$/u.test(s), !/^.$/.test(s), /\\udf06/u.test('\\ud834\\udf06') === false, [...('\\ud83d' + 'x')].length === 2, s.at(-1) === '\\ude00'].every(x => x) }",
    ),
    (
        "strings of ropes",
        "() => { let s = ''; for (let i = 0; i < 20000; i++) s = i % 2 ? s + i : i + s; return s.length > 80000 && s.slice(5, 10).length === 5 && typeof s.charCodeAt(40000) === 'number' && s.split('1').length > 1 && (s + s).indexOf(s, 1) > 0 }",
    ),
    (
        "strings of ropes that are compared and kept as keys",
        "() => { let a = '', b = ''; for (let i = 0; i < 3000; i++) { a += 'ab'; b = b + 'a' + 'b' } const o = { [a]: 1 }; return a === b && o[b] === 1 && new Map([[a, 2]]).get(b) === 2 }",
    ),
    (
        "strings that are too long",
        "() => { let n = 0; for (const f of [() => 'a'.repeat(2 ** 31), () => 'ab'.padEnd(2 ** 31), () => 'a'.repeat(-1), () => 'a'.repeat(Infinity)]) try { f() } catch (e) { n += e instanceof RangeError } return n === 4 }",
    ),
    (
        "lengths that are too long",
        "() => { let n = 0; for (const f of [() => new Array(-1), () => new Array(2 ** 32), () => { [].length = 2 ** 32 }, () => new Uint8Array(2 ** 53), () => new ArrayBuffer(-1), () => new ArrayBuffer(2 ** 53), () => [].push.call({ length: 2 ** 53 - 1 }, 1), () => new Uint32Array(new ArrayBuffer(5))]) try { f() } catch { n++ } return n === 8 }",
    ),
    (
        "an array of few items far apart",
        "() => { const a = []; a[4294967294] = 1; a[2 ** 32] = 2; a.length = 4294967290; a[0] = 1; return a.length === 4294967290 && a[4294967296] === 2 && !(4294967294 in a) }",
    ),
    (
        "many arguments",
        "() => { let n = 0; for (const f of [() => Math.max(...new Array(60000).fill(1)), () => Math.max.apply(null, { length: 1e7 }), () => String.fromCharCode.apply(null, new Array(1e5).fill(65)), () => Reflect.construct(Array, { length: 2 ** 32 })]) try { f(); n++ } catch { n++ } return n === 4 }",
    ),
    (
        "dates at the edge of time",
        "() => [new Date(8.64e15).toISOString() === '+275760-09-13T00:00:00.000Z', isNaN(new Date(8.64e15 + 1)), isNaN(new Date(0).setFullYear(1e9)), new Date(-8.64e15).getUTCFullYear() === -271821, isNaN(Date.UTC(1e308, 1e308)), isNaN(Date.parse('x'.repeat(1e5)))].every(x => x)",
    ),
    (
        "text that is no base64",
        "() => { let n = 0; for (const t of ['!', 'a', 'aaaaa', '=', '\\u0100', 'YQ=a']) try { atob(t) } catch { n++ } try { btoa('\\u0100') } catch { n++ } return n >= 6 && atob(btoa('\\0\\xff')) === '\\0\\xff' }",
    ),
    (
        "bytes that are no text",
        "() => { const d = new TextDecoder(); for (let i = 0; i < 256; i++) for (let j = 0; j < 256; j += 5) d.decode(new Uint8Array([i, j, 0x80]), { stream: true }); return typeof d.decode() === 'string' && new TextEncoder().encodeInto('\\u{1f600}', new Uint8Array(3)).written === 0 }",
    ),
    (
        "typed arrays of odd places",
        "() => { const b = new ArrayBuffer(16); let n = 0; for (const f of [() => new Float64Array(b, 1), () => new Float64Array(b, 0, 3), () => new Uint8Array(b, 17), () => new DataView(b, 17), () => new DataView(b, 8, 9), () => new DataView(b).getFloat64(9), () => new DataView(b).getInt8(-1), () => new DataView(b).getInt8(2 ** 53)]) try { f() } catch (e) { n += e instanceof RangeError } return n === 8 }",
    ),
];

const DEPTH: [Attack; 16] = [
    (
        "a function that calls itself",
        "() => { const f = () => f(); try { f() } catch (e) { return e instanceof RangeError } }",
    ),
    (
        "a getter that gets itself",
        "() => { const o = { get a() { return this.a } }; try { o.a } catch (e) { return e instanceof RangeError } }",
    ),
    (
        "a Proxy of a Proxy of a Proxy",
        "() => { let p = {}; for (let i = 0; i < 50000; i++) p = new Proxy(p, {}); let n = 0; for (const f of [() => p.x, () => 'x' in p, () => Object.keys(p), () => Object.getPrototypeOf(p), () => Array.isArray(p), () => { p.x = 1 }, () => Object.isFrozen(p), () => Object.prototype.toString.call(p)]) try { f(); n++ } catch (e) { n++ } return n === 8 }",
    ),
    (
        "a Proxy that is its own prototype",
        "() => { const p = new Proxy({}, {}); try { Object.setPrototypeOf(Object.getPrototypeOf(p) === Object.prototype ? p : {}, p) } catch {} const q = new Proxy({}, { getPrototypeOf: () => q }); try { q.x } catch {} return true }",
    ),
    (
        "a long chain of prototypes",
        "() => { let o = {}; for (let i = 0; i < 200000; i++) o = Object.create(o); return o.x === undefined && !('x' in o) && !(o instanceof Map) }",
    ),
    (
        "a chain of bound functions",
        "() => { let f = () => 1; for (let i = 0; i < 500; i++) f = f.bind(); try { return f() === 1 } catch (e) { return e instanceof RangeError } }",
    ),
    (
        "text nested deeply, read",
        "() => { try { JSON.parse('['.repeat(1e6)) } catch {} try { JSON.parse('{\"a\":'.repeat(1e5)) } catch {} return true }",
    ),
    (
        "text nested deeply, written",
        "() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; try { JSON.stringify(a) } catch {} try { String(a) } catch {} try { a.flat(Infinity) } catch {} return true }",
    ),
    (
        "arrays nested deeply and let go",
        "() => { let a = []; for (let i = 0; i < 2e5; i++) a = [a]; a = null; let b = {}; for (let i = 0; i < 2e5; i++) b = { b }; b = null; return true }",
    ),
    (
        "closures nested deeply and let go",
        "() => { let f = null; for (let i = 0; i < 1e5; i++) { const g = f; f = () => g } f = null; return true }",
    ),
    (
        "promises that wait for promises",
        "() => { let p = Promise.resolve(); for (let i = 0; i < 900; i++) p = p.then(() => p); const q = Promise.resolve().then(() => q); q.catch(() => {}); return true }",
    ),
    (
        "regular expressions nested deeply",
        "() => { for (const s of ['('.repeat(1e5), '(?:'.repeat(2e4) + ')'.repeat(2e4), '(?='.repeat(1e4) + ')'.repeat(1e4), '[a--'.repeat(1e4)]) try { new RegExp(s) } catch {} try { new RegExp('[a--'.repeat(1e4), 'v') } catch {} return true }",
    ),
    (
        "a regular expression that goes deep",
        "() => { try { /(?:a|ab)(?:c|bcd)*(?:d*)/.exec('a' + 'bcd'.repeat(50000)) } catch {} try { /(?:(a)|b)*/.exec('ab'.repeat(50000)) } catch {} return true }",
    ),
    (
        "a generator in a generator in a generator",
        "() => { function* g(n) { if (n) yield* g(n - 1); else yield 1 } try { return g(400).next().value === 1 && (g(100000).next(), true) } catch (e) { return e instanceof RangeError } }",
    ),
    (
        "classes of classes",
        "() => { let C = class {}; for (let i = 0; i < 5000; i++) C = class extends C {}; try { return new C() instanceof C } catch (e) { return e instanceof RangeError } }",
    ),
    (
        "errors of errors",
        "() => { let e = new Error('x'); for (let i = 0; i < 1e5; i++) e = new Error('y', { cause: e }); e.cause = e; return typeof e.stack === 'string' && String(new AggregateError([e], 'z')) === 'AggregateError: z' }",
    ),
];

/// What is done with hardly any memory left.
const OUT_OF_MEMORY: [Attack; 18] = [
    ("strings", "let s = 'x'; for (let j = 0; j < 20; j++) s = s + s + j; s.split('x')"),
    ("arrays", "const a = []; for (let j = 0; j < 5000; j++) a.push([j]); a.concat(a).reverse()"),
    ("objects", "const o = {}; for (let j = 0; j < 3000; j++) o['k' + i + j] = { j }; Object.entries(o)"),
    ("maps", "const m = new Map(); for (let j = 0; j < 3000; j++) m.set({}, j); new Map(m)"),
    (
        "weak maps",
        "const m = new WeakMap(); const k = []; for (let j = 0; j < 3000; j++) { k.push({}); m.set(k[j], k) }",
    ),
    ("big integers", "let b = 3n; for (let j = 0; j < 14; j++) b *= b; b.toString()"),
    ("regular expressions", "new RegExp('(?<a>a|b)[c-z]{1,3}'.repeat(1) + '(x|y)'.repeat(200)).exec('x'.repeat(1000))"),
    ("matches", "const m = 'abc'.repeat(20000).match(/[a-c]/g); [...'ab'.repeat(9999).matchAll(/a/g)]"),
    ("JSON", "JSON.parse(JSON.stringify(Array.from({ length: 5000 }, (_, j) => ({ j: 'x' + j }))))"),
    (
        "closures and generators",
        "const a = []; for (let j = 0; j < 3000; j++) { const g = (function* () { yield () => j })(); g.next(); a.push(g) }",
    ),
    ("promises", "for (let j = 0; j < 900; j++) Promise.resolve(j).then(x => [x]).catch(() => {})"),
    (
        "classes",
        "const a = []; for (let j = 0; j < 1000; j++) a.push(class A { #x = [j]; static y = 1; get x() { return this.#x } }); a.map(A => new A().x)",
    ),
    ("errors", "const a = []; for (let j = 0; j < 2000; j++) try { null.x } catch (e) { a.push(e, e.stack) }"),
    (
        "Proxies",
        "const a = []; for (let j = 0; j < 3000; j++) a.push(new Proxy({}, { get: () => [j] })); a.map(p => p.x)",
    ),
    (
        "typed arrays",
        "const a = []; for (let j = 0; j < 3000; j++) a.push(new Float64Array(100).map(() => j).slice(3).sort())",
    ),
    ("sorting", "Array.from({ length: 20000 }, (_, j) => ({ toString: () => 'k' + (j * 7919) % 20000 })).sort()"),
    (
        "spreading",
        "Math.max(...Array.from({ length: 30000 }, (_, j) => j)); [...new Set(Array.from({ length: 9000 }, (_, j) => j))]",
    ),
    ("names", "const o = {}; for (let j = 0; j < 3000; j++) o[Symbol('s' + j)] = Symbol.for('t' + i + j)"),
];
