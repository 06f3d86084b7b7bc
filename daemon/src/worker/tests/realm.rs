//! What code can reach, and that nothing in it lasts.

use super::{in_world, result, result_of};

#[test]
fn a_counter_counts() {
    in_world(|world| {
        world.install_with(1, "(args, power) => power.memory.count += args.by", "{}", Some((1, r#"{"count":0}"#)));
        for _ in 0..3 {
            world.send(1, r#"{"by":2}"#);
        }
        assert_eq!(world.memory(1), r#"{"count":6}"#);
    });
}

#[test]
fn nothing_but_memory_lasts_from_turn_to_turn() {
    in_world(|world| {
        world.install(
            1,
            r"function f(args, power) {
                const seen = [f.count, f.prototype.count, globalThis.count, typeof count, (s => s)`t`.count].join();
                f.count = 1; f.prototype.count = 1; globalThis.count = 1;
                for (const it of [Object, [], Array.prototype, (s => s)`t`, Math, JSON, Function.prototype]) {
                    try { it.count = 1 } catch {}
                }
                return seen;
            }",
        );
        assert_eq!(result(&world.send(1, "null")), r#"",,,undefined,""#);
        assert_eq!(result(&world.send(1, "null")), r#"",,,undefined,""#);
    });
}

#[test]
fn everything_within_reach_is_frozen() {
    let left_open = result_of(
        r"(args, power) => {
            const seen = new Set();
            const open = [];
            const walk = (value, path) => {
                if (!(typeof value === 'object' && value !== null || typeof value === 'function') || seen.has(value)) return;
                seen.add(value);
                if (!Object.isFrozen(value)) open.push(path);
                walk(Object.getPrototypeOf(value), path + '.__proto__');
                for (const key of Reflect.ownKeys(value)) {
                    const d = Object.getOwnPropertyDescriptor(value, key);
                    const at = path + '.' + String(key);
                    walk(d.value, at); walk(d.get, at + '(get)'); walk(d.set, at + '(set)');
                    if (d.get) try { walk(value[key], at) } catch {}
                }
            };
            const hidden = {
                f: () => {}, g: function* () {}, a: async () => {}, ag: async function* () {},
                gi: Object.getPrototypeOf((function* () {})()), agi: Object.getPrototypeOf((async function* () {})()), args: (function () { return arguments })(),
                array: [].values(), map: new Map().entries(), set: new Set().values(), string: ''[Symbol.iterator](),
                regexp: 'a'.matchAll(/a/g), helper: [].values().map(x => x), wrapped: Iterator.from({ next() {} }),
                concat: Iterator.concat?.([]), template: (s => s)`x`, error: new RangeError('x'), promise: Promise.resolve(),
                resolvers: Promise.withResolvers(), revoke: Proxy.revocable({}, {}).revoke, bound: (() => {}).bind(),
                klass: class {}, typed: new Float64Array(1), re: /x/, date: new Date(0), bigint: Object(1n), symbol: Object(Symbol()),
                power: power.clock, zip: Iterator.zip?.([]),
            };
            try { atob('!') } catch (e) { hidden.atob = e }
            for (const [name, value] of Object.entries(hidden)) {
                walk(Object.getPrototypeOf(Object(value)), name + '.__proto__');
            }
            walk(Object.getPrototypeOf(globalThis), 'globalThis.__proto__');
            for (const [name, value] of Object.entries({ Q, add, console, power, template: hidden.template })) {
                if (name !== 'power') walk(value, name);
            }
            return [open, seen.size > 700];
        }",
    );
    assert_eq!(left_open, "[[],true]");
}

#[test]
fn inherited_properties_can_be_overridden_by_assignment() {
    let told = result_of(
        r"() => {
            const object = {};
            object.toString = () => 'mine';
            object.constructor = 1;
            object[Symbol.toStringTag] = 'T';
            function Old() {}
            Old.prototype.toString = function () { return 'old' };
            const List = function () {};
            List.prototype = Object.create(Array.prototype);
            List.prototype.map = () => 'mapped';
            const error = new TypeError('a');
            error.message = 'b'; error.name = 'Named';
            class E extends Error {}
            E.prototype.name = 'E';
            const fn = () => {};
            fn.call = 1; fn.toString = () => 'fn';
            class P extends Promise {}
            P.prototype.then = 5;
            const keys = Object.keys(object);
            const proto = Object.create({ get toString() { return 5 } });
            let refused = 0;
            for (const run of [() => { Object.prototype.toString = 1 }, () => { Array.prototype.map = 1 },
                               () => { Math.max = 1 }, () => { 'x'.toString = 1 }, () => { proto.toString = 1 }]) {
                try { run() } catch (e) { if (e instanceof TypeError) refused++ }
            }
            return [String(object), keys, String(new Old()), new List().map(), String(error), String(new E('c')), String(fn),
                fn.call, new P(() => {}).then, refused];
        }",
    );
    assert_eq!(told, r#"["mine",["toString","constructor"],"old","mapped","Named: b","E: c","fn",1,5,5]"#);
}

#[test]
fn there_is_no_way_to_time_chance_or_text_as_code() {
    let told = result_of(
        r"() => {
            const tries = {
                date: () => Date(), now: () => Date.now(), newDate: () => new Date(), subclass: () => new (class extends Date {})(),
                construct: () => Reflect.construct(Date, [], Object), protoDate: () => new Date.prototype.constructor(),
                fn: () => new Function('return 1')(), fnCall: () => Function('return 1')(),
                viaProto: () => (() => {}).constructor('return 1')(),
                gen: () => (function* () {}).constructor('yield 1'),
                asyncFn: () => (async () => {}).constructor('return 1'),
                asyncGen: () => (async function* () {}).constructor('return 1'),
                protoOfCtor: () => Object.getPrototypeOf((async () => {}).constructor)('return 1'),
                construct2: () => Reflect.construct(Function, ['return 1'], (async () => {}).constructor),
                undeclared: () => { leaked = 1 },
            };
            const out = [];
            for (const [name, run] of Object.entries(tries)) {
                try { run(); out.push(name) } catch (e) {}
            }
            const names = ['eval', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics', 'performance',
                'queueMicrotask', 'setTimeout', 'DOMException', 'require', 'process', 'std', 'os', 'print', 'gc', 'Intl'];
            for (const name of names) if (name in globalThis) out.push(name);
            for (const name of ['captureStackTrace', 'prepareStackTrace', 'stackTraceLimit']) if (name in Error) out.push(name);
            for (const name of ['caller', 'arguments', 'fileName', 'lineNumber', 'columnNumber']) if (name in Function.prototype) out.push(name);
            if ('random' in Math) out.push('random');
            return out;
        }",
    );
    assert_eq!(told, "[]");
}

#[test]
fn dates_work_without_a_clock() {
    let told = result_of(
        r"() => {
            const d = new Date(86400000);
            class D extends Date { twice() { return this.getTime() * 2 } }
            return [d.toISOString(), d.getHours(), d.getTimezoneOffset(), Date.UTC(1970, 0, 2), Date.parse('1970-01-02'),
                new Date(2020, 1, 30).getDate(), new D(5).twice(), d instanceof Date, new Date(d).getTime(), Date.name, Date.length,
                isNaN(new Date(undefined)), String(d)];
        }",
    );
    assert_eq!(
        told,
        r#"["1970-01-02T00:00:00.000Z",0,0,86400000,86400000,1,10,true,86400000,"Date",7,true,"Fri Jan 02 1970 00:00:00 GMT+0000"]"#
    );
}

#[test]
fn global_this_is_a_fresh_object_of_the_call() {
    let told = result_of(
        r"() => {
            const before = Object.keys(globalThis).length;
            globalThis.Array = 1; globalThis.mine = 2; globalThis.undefined = 3;
            let bare;
            try { bare = mine } catch (e) { bare = e.name }
            return [before, globalThis.Array, Array.name, globalThis.mine, bare, globalThis.undefined, globalThis.globalThis === globalThis,
                'JSON' in globalThis, globalThis.Map === Map, Object.keys(globalThis)];
        }",
    );
    assert_eq!(told, r#"[0,1,"Array",2,"ReferenceError",3,true,true,true,["Array","mine","undefined"]]"#);
}

#[test]
fn honest_packages_find_encoders_and_a_console() {
    let told = result_of(
        r"() => {
            const bytes = new TextEncoder().encode('aé€😀\ud800');
            const d = new TextDecoder();
            const parts = [d.decode(bytes.slice(0, 4), { stream: true }), d.decode(bytes.slice(4, 8), { stream: true }), d.decode(bytes.slice(8))];
            let fatal;
            try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])) } catch (e) { fatal = e.name }
            console.log('a', { b: 1 }); console.assert(true); console.group();
            return [[...bytes], parts.join('|'), fatal, new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])),
                btoa('abc'), atob('YWJj'), new TextEncoder().encodeInto('aé', new Uint8Array(2))];
        }",
    );
    assert_eq!(
        told,
        r#"[[97,195,169,226,130,172,240,159,152,128,239,191,189],"aé|€|😀�","TypeError","A","YWJj","abc",{"read":1,"written":1}]"#
    );
}

#[test]
fn stacks_end_where_another_objects_code_begins() {
    in_world(|world| {
        world.install(1, "function outerSecret(args, power) { return args.call(1) }");
        world.install(2, "function inner() { return new Error('x').stack }");
        let told = result(&world.send(1, r#"{"@qref":2}"#));
        assert!(told.contains("at inner (object:1:"), "{told}");
        assert!(!told.contains("outerSecret"), "{told}");
    });
}
