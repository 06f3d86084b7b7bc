//! Looking at another object: its source, its frames, its values, that it ran at all.

use qrt_shared::view::Outcome;
use qrt_tests::Vat;

use super::{Neighbour, told, vat};

/// An object with a secret, which does all that an honest object may do with what it is given.
const VICTIM: &str = r"function secretName(args, power) {
    const secretValue = 'hush';
    power.memory.secret = secretValue;
    function secretInner(f) { return f(); }
    const secretLabel = Symbol('hush');
    const hold = new WeakMap([[args?.key ?? {}, secretValue]]);
    if (args?.run) return secretInner(args.run);
    if (args?.fail) { null.secretProperty; }
    if (args?.throws) throw new RangeError('told');
    if (args?.later) Promise.reject(new Error('hush later')).catch(() => {});
    return hold.has(args?.key ?? {}) ? 'kept' : 'none';
}";

/// The programs: each gets `victim` and answers what it could see, as text. None of it may have `secret` or
/// `hush` in it, or a place in the victim's text.
const SPIES: [(&str, &str); 21] = [
    ("the stack of a function that the victim calls", "victim => victim.call({ run: () => new Error('x').stack })"),
    (
        "the stack of an error that the victim's engine throws",
        "victim => { try { victim.call({ fail: true }) } catch (e) { return e.stack } }",
    ),
    (
        "the stack of an error that the victim throws",
        "victim => { try { victim.call({ throws: true }) } catch (e) { return e.stack + e.message } }",
    ),
    (
        "everything an error of the victim has",
        "victim => { try { victim.call({ throws: true }) } catch (e) { return Reflect.ownKeys(e).filter(key => key !== 'stack').map(key => String(key) + e[key]).join() } }",
    ),
    (
        "the stack of an overflow in a function that the victim calls",
        "victim => victim.call({ run: () => { const f = () => f(); try { f() } catch (e) { return e.stack } } })",
    ),
    (
        "the caller of a function that the victim calls",
        "victim => victim.call({ run: function () { try { return String(arguments.callee.caller) } catch {} } })",
    ),
    (
        "the arguments of a function that the victim calls",
        "victim => victim.call({ run: function () { return [...arguments].join() + String(this) } })",
    ),
    ("the global object that the victim sees", "victim => victim.call({ run: () => Object.keys(globalThis).join() })"),
    (
        "what the victim is, as text",
        "victim => String(victim) + JSON.stringify(victim) + Object.entries(victim) + Reflect.ownKeys(victim).join()",
    ),
    (
        "the victim's functions, as text",
        "victim => String(victim.call) + String(Object.getPrototypeOf(victim).sendOnly)",
    ),
    (
        "the victim's memory",
        "(victim, power) => JSON.stringify(power) + JSON.stringify(power.memory) + [victim.memory, victim.power, victim.code].join('')",
    ),
    (
        "what is new in the realm",
        "victim => { const all = () => Object.getOwnPropertyNames(Object.getPrototypeOf(globalThis)).map(name => name + Reflect.ownKeys(Object(globalThis[name])).map(String)).join(); const before = all(); victim.call(); return before === all() ? 'the same' : 'secret' }",
    ),
    (
        "the key of a map that the victim holds",
        "victim => { const key = { toString: () => 'x' }; victim.call({ key }); return Reflect.ownKeys(key).map(String).join('') }",
    ),
    (
        "the victim's promise jobs",
        "victim => { const seen = []; victim.call({ later: true }); Promise.resolve().then(() => { seen.push(new Error('x').stack) }); return seen.join() }",
    ),
    (
        "the stack that a failing built-in takes down",
        "victim => victim.call({ run: () => { try { atob('!') } catch (e) { return [e.stack, ...Reflect.ownKeys(e).map(key => String(e[key]))].join() } } })",
    ),
    (
        "the constructor of what a failing built-in throws",
        "victim => victim.call({ run: () => { try { btoa('\\u0100') } catch (e) { const f = new e.constructor('x'); try { throw f } catch (f) { return f.stack + Object.values(f) } } } })",
    ),
    (
        "the stack read under a name that tells of another's file",
        "victim => { const f = () => new Error('x').stack; Object.defineProperty(f, 'name', { value: 'x (object#1:1:1)\\n    at y (object#2:1:1)\\n    at z' }); return victim.call({ run: f }).replaceAll('object#', 'object ') }",
    ),
    (
        "the stack read by Reflect.get",
        "victim => { let e; victim.call({ run: () => { e = new Error('x') } }); return victim.call({ run: () => Reflect.get(e, 'stack') }) }",
    ),
    (
        "the stack read through a chain of built-ins",
        "victim => victim.call({ run: () => { const e = new Error('x'); return [1].map(() => Reflect.apply(Reflect.get, null, [e, 'stack'])).join() } })",
    ),
    (
        "the victim's frames under a getter",
        "victim => { let seen; victim.call({ get run() { seen = new Error('x').stack; return undefined } }); return seen }",
    ),
    (
        "the victim's frames under a Proxy",
        "victim => { let seen = ''; victim.call(new Proxy({}, { get(t, key) { seen += new Error('x').stack } })); return seen }",
    ),
];

fn seen(vat: &Vat, spy: &str, victim: &str) -> String {
    let ended = vat.object(spy).send(victim);
    assert_ne!(ended.outcome, Outcome::Killed, "{ended:?}");
    told(&ended)
}

#[test]
fn nothing_is_seen_of_an_object_but_what_it_gives() {
    let vat = vat();
    let neighbour = Neighbour::of(&vat);
    // In the victim's text, places are on a line of their own, far down.
    let victim = vat.object(&format!("{}{VICTIM}", "\n".repeat(700)));
    for (name, spy) in SPIES {
        let seen = seen(&vat, spy, &victim.reference());
        for trace in ["secret", "hush", "object:70", "object:71", "object#", "realm", "/"] {
            assert!(!seen.contains(trace), "{name}: {seen}");
        }
        neighbour.is_well(name);
    }
}

#[test]
fn an_object_sees_its_own_frames() {
    let vat = vat();
    // The control: the same looks, at one's own functions.
    let code = r"function secretName(victim) {
        function secretInner(f) { return f() }
        const seen = [secretInner(() => new Error('x').stack)];
        try { secretInner(() => null.x) } catch (e) { seen.push(e.stack) }
        try { secretInner(() => { throw new RangeError('x') }) } catch (e) { seen.push(e.stack) }
        secretInner(() => victim.call({ run: () => { seen.push(new Error('x').stack) } }));
        return seen.map(stack => stack.includes('secretInner') && stack.includes('object:'));
    }";
    let victim = vat.object(VICTIM);
    assert_eq!(vat.object(code).text(&victim.reference()), "[true,true,true,true]");
}
