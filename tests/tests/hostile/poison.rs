//! Changing what all code shares, so that a neighbour's code does something else.

use super::{Attack, held};

#[test]
fn what_all_code_shares_cannot_be_changed() {
    held(&POISON, 1);
}

#[test]
fn nothing_of_what_all_code_shares_can_be_stamped() {
    held(&STAMPS, 1);
}

#[test]
fn no_setter_that_is_lying_about_changes_what_all_code_shares() {
    held(&SETTERS, 1);
}

const POISON: [Attack; 44] = [
    ("a method of arrays", "() => { Array.prototype.map = () => 'x'; return [1].map() === 'x' }"),
    ("a property of all objects", "() => { Object.prototype.x = 1; return ({}).x === 1 }"),
    ("a getter of all objects", "() => { Object.prototype.__defineGetter__('x', () => 1); return ({}).x === 1 }"),
    (
        "a property of all objects, defined",
        "() => { Object.defineProperty(Object.prototype, 'x', { value: 1 }); return ({}).x === 1 }",
    ),
    (
        "many properties of all objects",
        "() => { Object.defineProperties(Object.prototype, { x: { get: () => 1 } }); return ({}).x === 1 }",
    ),
    ("a property of all objects, by Reflect", "() => Reflect.defineProperty(Object.prototype, 'x', { value: 1 })"),
    ("a property of all objects, by Reflect.set with a receiver", "() => Reflect.set({}, 'x', 1, Object.prototype)"),
    (
        "a property of all objects, by Object.assign",
        "() => { Object.assign(Object.prototype, { x: 1 }); return ({}).x === 1 }",
    ),
    ("a property of all objects, by a key that is an index", "() => { Object.prototype[0] = 1; return [][0] === 1 }"),
    ("a hole of all arrays", "() => { Array.prototype[0] = 1; return [,][0] === 1 }"),
    ("an item of Array.prototype, by push", "() => { Array.prototype.push(1); return [][0] === 1 }"),
    (
        "an item of Array.prototype, by push on it",
        "() => { Array.prototype.push.call(Array.prototype, 1); return [][0] === 1 }",
    ),
    (
        "an item of Object.prototype, by push on it",
        "() => { Array.prototype.push.call(Object.prototype, 1); return ({})[0] === 1 }",
    ),
    (
        "an item of Array.prototype, by unshift",
        "() => { Array.prototype.unshift(1); return Array.prototype.length === 1 }",
    ),
    (
        "an item of Array.prototype, by splice",
        "() => { Array.prototype.splice(0, 0, 1); return Array.prototype.length === 1 }",
    ),
    ("the length of Array.prototype", "() => { Array.prototype.length = 5; return Array.prototype.length === 5 }"),
    (
        "an item of Array.prototype, by fill",
        "() => { const a = Array.prototype; a.length = 1; a.fill(1); return [][0] === 1 }",
    ),
    (
        "an item of Array.prototype, by species",
        "() => { class A extends Array { static get [Symbol.species]() { return function () { return Array.prototype } } } const a = new A(); a.push(7); a.map(x => x); return [][0] === 7 }",
    ),
    (
        "an item of Array.prototype, by Array.of for another",
        "() => { Array.of.call(function () { return Array.prototype }, 7); return [][0] === 7 }",
    ),
    (
        "an item of Array.prototype, by Array.from for another",
        "() => { Array.from.call(function () { return Array.prototype }, [7]); return [][0] === 7 }",
    ),
    ("a method gone", "() => delete Array.prototype.map"),
    (
        "a global gone",
        "() => { let o = globalThis; while (o && !Object.hasOwn(o, 'Map')) o = Object.getPrototypeOf(o); return delete o.Map }",
    ),
    ("the prototype of arrays", "() => { Object.setPrototypeOf(Array.prototype, { x: 1 }); return [].x === 1 }"),
    ("the prototype of functions", "() => { Function.prototype.__proto__ = { x: 1 }; return (() => {}).x === 1 }"),
    ("the prototype of Math", "() => { Math.__proto__ = { x: 1 }; return Math.x === 1 }"),
    (
        "then of promises",
        "() => { Promise.prototype.then = function () { return 'x' }; return Promise.resolve().then() === 'x' }",
    ),
    (
        "next of array iterators",
        "() => { Object.getPrototypeOf([].values()).next = () => ({ done: true }); return [...[1]].length === 0 }",
    ),
    (
        "next of generators",
        "() => { Object.getPrototypeOf(function* () {}).prototype.next = () => 'x'; return (function* () {})().next() === 'x' }",
    ),
    (
        "iterators of arrays",
        "() => { Array.prototype[Symbol.iterator] = function* () { yield 'x' }; return [...[1]][0] === 'x' }",
    ),
    ("exec of regular expressions", "() => { RegExp.prototype.exec = () => null; return !/a/.test('a') }"),
    ("get of maps", "() => { Map.prototype.get = () => 'x'; return new Map().get(1) === 'x' }"),
    ("what JSON.stringify is", "() => { JSON.stringify = () => 'x'; return JSON.stringify(1) === 'x' }"),
    ("toJSON of all objects", "() => { Object.prototype.toJSON = () => 'x'; return JSON.stringify({}) === '\"x\"' }"),
    ("what Object.freeze is", "() => { Object.freeze = x => x; return !Object.isFrozen(Object.freeze({})) }"),
    ("toString of functions", "() => { Function.prototype.toString = () => 'x'; return String(() => {}) === 'x' }"),
    ("the name of errors", "() => { TypeError.prototype.name = 'x'; return new TypeError().name === 'x' }"),
    ("Q.call", "() => { Q.call = () => 'x'; return Q.call() === 'x' }"),
    ("add", "() => { add.x = 1; return add.x === 1 }"),
    ("console.log", "() => { console.log = 5; return console.log === 5 }"),
    ("decode of TextDecoder", "() => { TextDecoder.prototype.decode = 5; return new TextDecoder().decode === 5 }"),
    ("call of References", "args => { Object.getPrototypeOf(args).call = 5; return args.call === 5 }"),
    ("a Reference's own property", "args => { args.x = 1; return args.x === 1 }"),
    (
        "a template's strings",
        "() => { const f = s => s; const t = () => f`a`; try { Object.defineProperty(t(), 'x', { value: 1 }) } catch { Object.prototype.x = 1 } return t().x === 1 }",
    ),
    (
        "iterators' own methods through a class that extends Iterator",
        "() => { class I extends Iterator {} Object.getPrototypeOf(I.prototype).map = () => 'x'; return [].values().map() === 'x' }",
    ),
];

/// A class that gives what its parent returns a private field; it can tell who has one.
macro_rules! stamps {
    ($what:expr) => {
        concat!(
            "(args, power) => { class S extends (function (o) { return o }) { #p = 1; static has(o) { return #p in o } } ",
            "const it = ", $what, "; new S(it); return S.has(it) }"
        )
    };
}

const STAMPS: [Attack; 16] = [
    ("a private field on Array.prototype", stamps!("Array.prototype")),
    ("a private field on Object.prototype", stamps!("Object.prototype")),
    ("a private field on Function.prototype", stamps!("Function.prototype")),
    ("a private field on Math", stamps!("Math")),
    ("a private field on JSON.parse", stamps!("JSON.parse")),
    ("a private field on Map", stamps!("Map")),
    ("a private field on the iterators of arrays", stamps!("Object.getPrototypeOf([].values())")),
    ("a private field on Q", stamps!("Q")),
    ("a private field on console.log", stamps!("console.log")),
    ("a private field on a Reference", stamps!("args")),
    ("a private field on References", stamps!("Object.getPrototypeOf(args)")),
    ("a private field on what the global object inherits from", stamps!("Object.getPrototypeOf(globalThis)")),
    ("a private field on power", stamps!("power")),
    ("a private field on a native power", stamps!("power.clock")),
    ("a private field on a part of power", stamps!("power.deep.list")),
    (
        "a private method on Math",
        "() => { class S extends (function (o) { return o }) { #m() {} static has(o) { return #m in o } } new S(Math); return S.has(Math) }",
    ),
];

const SETTERS: [Attack; 10] = [
    (
        "the setter of the stack on Error.prototype",
        "() => { const s = Object.getOwnPropertyDescriptor(Error.prototype, 'stack').set; s.call(TypeError.prototype, 'x'); return new TypeError().stack === 'x' || Object.hasOwn(TypeError.prototype, 'stack') }",
    ),
    (
        "the setter of the stack on Math",
        "() => { Object.getOwnPropertyDescriptor(Error.prototype, 'stack').set.call(Math, 'x'); return Math.stack === 'x' }",
    ),
    (
        "the setter of Iterator's tag on another prototype",
        "() => { const d = Object.getOwnPropertyDescriptor(Iterator.prototype, Symbol.toStringTag); const to = Object.getPrototypeOf(new Set().values()); const o = Object.getPrototypeOf(to) === Iterator.prototype ? Promise : 0; d.set.call(o, 'x'); return Promise[Symbol.toStringTag] === 'x' }",
    ),
    (
        "the setter of Iterator's constructor",
        "() => { Object.getOwnPropertyDescriptor(Iterator.prototype, 'constructor').set.call(Math, 5); return Math.constructor === 5 }",
    ),
    (
        "the setter of __proto__ on Array.prototype",
        "() => { Object.getOwnPropertyDescriptor(Object.prototype, '__proto__').set.call(Array.prototype, { x: 1 }); return [].x === 1 }",
    ),
    (
        "the setter of __proto__ on async generators",
        "() => { Object.getOwnPropertyDescriptor(Object.prototype, '__proto__').set.call(Object.getPrototypeOf(async function* () {}), { x: 1 }); return (async function* () {}).x === 1 }",
    ),
    (
        "every setter there is on Math",
        "() => { const before = Reflect.ownKeys(Math).length; for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(globalThis)).concat('Array', 'Error', 'RegExp')) { const proto = globalThis[name]?.prototype; if (proto) for (const key of Reflect.ownKeys(proto)) { const { set } = Object.getOwnPropertyDescriptor(proto, key); try { set?.call(Math, 'x') } catch {} } } Math.x = 1; return Reflect.ownKeys(Math).length > before }",
    ),
    (
        "__defineSetter__ of Array.prototype",
        "() => { Array.prototype.__defineSetter__('x', () => {}); return 'x' in [] }",
    ),
    (
        "lastIndex of RegExp.prototype",
        "() => { RegExp.prototype.lastIndex = 7; return /a/.source && RegExp.prototype.lastIndex === 7 }",
    ),
    (
        "compile of another's regular expression",
        "() => { const r = RegExp.prototype; Object.defineProperty(r, 'flags', { get: () => 'x' }); return /a/.flags === 'x' }",
    ),
];
