//! Reaching for what was taken away: text as code, the clock, chance, the collector, the frames of others.

use super::{Attack, held};

#[test]
fn text_never_becomes_code() {
    held(&TEXT_AS_CODE, 1);
}

#[test]
fn there_is_no_clock_no_chance_and_nothing_that_watches_the_collector() {
    held(&CLOCK_AND_CHANCE, 1);
}

#[test]
fn there_is_no_way_into_frames_and_no_global_object() {
    held(&FRAMES, 1);
}

const TEXT_AS_CODE: [Attack; 28] = [
    ("eval by its name", "() => eval('1') === 1"),
    ("eval called indirectly", "() => (0, eval)('1') === 1"),
    ("eval of the global object", "() => globalThis.eval('1') === 1"),
    (
        "eval from the global object's prototypes",
        "() => { for (let o = globalThis; o; o = Object.getPrototypeOf(o)) if (Reflect.has(o, 'eval')) return Reflect.get(o, 'eval')('1') === 1 }",
    ),
    ("the Function constructor", "() => Function('return 1')() === 1"),
    ("new Function", "() => new Function('return 1')() === 1"),
    ("a subclass of Function", "() => new (class extends Function { constructor() { super('return 1') } })()() === 1"),
    ("Reflect.construct of Function", "() => Reflect.construct(Function, ['return 1'])() === 1"),
    ("Function for another's sake", "() => Reflect.construct(Function, ['return 1'], class {})() === 1"),
    ("a bound Function", "() => Function.bind(null, 'return 1')()() === 1"),
    ("Function by apply", "() => Function.apply(null, ['return 1'])() === 1"),
    ("Function through a Proxy", "() => new (new Proxy(Function, {}))('return 1')() === 1"),
    ("Function as a tag", "() => Function`return 1`() === 1"),
    ("a function's constructor", "() => (function () {}).constructor('return 1')() === 1"),
    ("an arrow's constructor", "() => (() => {}).constructor('return 1')() === 1"),
    ("a method's constructor", "() => ({ m() {} }).m.constructor('return 1')() === 1"),
    (
        "a getter's constructor",
        "() => Object.getOwnPropertyDescriptor({ get a() {} }, 'a').get.constructor('return 1')() === 1",
    ),
    ("a class's constructor", "() => (class {}).constructor('return 1')() === 1"),
    ("a bound function's constructor", "() => (() => {}).bind().constructor('return 1')() === 1"),
    ("a native function's constructor", "() => Math.max.constructor('return 1')() === 1"),
    ("a power's constructor", "(args, power) => power.clock.constructor('return 1')() === 1"),
    ("Q.call's constructor", "() => Q.call.constructor('return 1')() === 1"),
    ("a resolving function's constructor", "() => Promise.withResolvers().resolve.constructor('return 1')() === 1"),
    (
        "the constructor of what throws for arguments.callee",
        "() => Object.getOwnPropertyDescriptor((function () { 'use strict'; return arguments })(), 'callee').get.constructor('return 1')() === 1",
    ),
    ("a generator's constructor", "() => (function* () {}).constructor('yield 1')().next().value === 1"),
    ("an async function's constructor", "() => (async () => {}).constructor('return 1')() instanceof Promise"),
    (
        "an async generator's constructor",
        "() => (async function* () {}).constructor('yield 1')().next() instanceof Promise",
    ),
    (
        "the parent of a generator's constructor",
        "() => Object.getPrototypeOf((function* () {}).constructor)('return 1')() === 1",
    ),
];

const CLOCK_AND_CHANCE: [Attack; 22] = [
    ("Date.now", "() => Date.now() > 0"),
    ("Date as a function", "() => Date().length > 0"),
    ("new Date", "() => new Date().getTime() > 0"),
    ("a subclass of Date", "() => new (class extends Date {})().getTime() > 0"),
    ("Reflect.construct of Date", "() => Reflect.construct(Date, []).getTime() > 0"),
    ("Date for another's sake", "() => Date.prototype.getTime.call(Reflect.construct(Date, [], Object)) > 0"),
    ("a bound Date", "() => new (Date.bind(null))().getTime() > 0"),
    ("Date through a Proxy", "() => new (new Proxy(Date, {}))().getTime() > 0"),
    ("the constructor of a Date", "() => new (new Date(0).constructor)().getTime() > 0"),
    ("now of the constructor of a Date", "() => new Date(0).constructor.now() > 0"),
    ("Date with a spread of nothing", "() => new Date(...[]).getTime() > 0"),
    ("Date.call", "() => Date.call({}).length > 0"),
    ("performance.now", "() => performance.now() >= 0"),
    ("Math.random", "() => Math.random() < 1"),
    ("Math.random of the prototype chain", "() => Reflect.get(Math, 'random')() < 1"),
    ("WeakRef", "() => typeof new WeakRef(Array).deref() === 'function'"),
    ("FinalizationRegistry", "() => typeof new FinalizationRegistry(() => {}).register === 'function'"),
    ("SharedArrayBuffer", "() => new SharedArrayBuffer(8).byteLength === 8"),
    ("Atomics", "() => Atomics.load(new Int32Array(1), 0) === 0"),
    ("Atomics.wait", "() => typeof Atomics.wait === 'function'"),
    ("queueMicrotask", "() => { queueMicrotask(() => {}); return true }"),
    (
        "names of the host",
        "() => ['performance', 'queueMicrotask', 'DOMException', 'process', 'require', 'std', 'os', 'scriptArgs', 'print', 'gc', 'setTimeout', 'fetch', 'navigator', 'Worker', 'Intl', 'WebAssembly', 'crypto'].some(name => name in globalThis)",
    ),
];

const FRAMES: [Attack; 16] = [
    (
        "the call sites of a stack",
        "() => { Error.prepareStackTrace = (e, sites) => sites; return typeof new Error().stack[0].getFunction === 'function' }",
    ),
    (
        "live functions of a stack",
        "() => { let got; Error.prepareStackTrace = (e, sites) => { got = sites.map(s => s.getFunction()); return '' }; new Error().stack; return got.some(f => typeof f === 'function') }",
    ),
    (
        "a stack trace hook in a subclass",
        "() => { class E extends Error {} E.prepareStackTrace = undefined; return Object.hasOwn(Error, 'prepareStackTrace') }",
    ),
    (
        "Error.captureStackTrace",
        "() => { const o = {}; Error.captureStackTrace(o); return typeof o.stack === 'string' }",
    ),
    ("the limit of stack traces", "() => { Error.stackTraceLimit = 0; return new Error().stack === '' }"),
    ("a function's file", "() => 'fileName' in (() => {})"),
    ("a function's line", "() => typeof (() => {}).lineNumber === 'number'"),
    ("a function's column", "() => typeof (() => {}).columnNumber === 'number'"),
    (
        "a function's caller",
        "() => Reflect.ownKeys(Function.prototype).some(key => key === 'caller' || key === 'arguments')",
    ),
    (
        "the global object as `this`",
        "function () { const f = Array.prototype.values; try { return f.call(globalThis) && Object.hasOwn(Object.getPrototypeOf(Object.assign(globalThis)), 'x') || Object.hasOwn(globalThis, 'Array') } catch {} }",
    ),
    ("standard names on the global object itself", "() => Object.hasOwn(globalThis, 'Object')"),
    ("a bare name through the global object", "() => { globalThis.leaked = 1; return leaked === 1 }"),
    (
        "a bare name through a prototype of the global object",
        "() => { let o = globalThis; while (Object.getPrototypeOf(o) !== Object.prototype) o = Object.getPrototypeOf(o); o.leaked = 1; return leaked === 1 }",
    ),
    ("a standard name for everybody", "() => { globalThis.Array = 5; return Array === 5 }"),
    (
        "undefined for everybody",
        "() => { try { Object.defineProperty(Object.getPrototypeOf(globalThis), 'x', { value: 1 }) } catch { return false } return globalThis.x === 1 }",
    ),
    ("the path of the file", "() => /realm|\\/|eval_script|script/.test(new Error().stack)"),
];
