//! Programs written to break out, to forge, to remember, to spy, to hog, to crash the engine, to confuse the
//! serialiser and to break the wrapper, against the real daemon: a file a family.
//!
//! Each is named for what it reaches for. It answers `true` where it gets it, and each has a control that
//! does: the same program in the engine as it comes, with what it may have, or in a measure that is allowed.
//! After each, a neighbour's turn must answer as if nothing had been.

mod crash;
mod escape;
mod forge;
mod fuzz;
mod hog;
mod known;
mod observe;
mod poison;
mod remember;
mod repeat;
mod serialise;
mod wrapper;

use qrt_shared::view::{Ended, Outcome};
use qrt_tests::{Object, Scratch, Vat};

/// A program and what it reaches for.
type Attack = (&'static str, &'static str);

/// A vat whose turns have little time, so that one which never ends does not hold up the suite.
fn vat() -> Vat {
    Scratch::default().vat_with(&[("cpu_ms", "300"), ("wall_ms", "2000")])
}

/// What every turn of honest code relies on. It is the same text after every attack.
const NEIGHBOUR: &str = r"(args, power) => {
    power.memory.turns = (power.memory.turns ?? 0) + 1;
    class Point extends Object { #x = 1; get x() { return this.#x } }
    const own = { toString: () => 'mine' };
    return [
        [3, 1, 2].sort().map(n => n * 2).join(), `${own}`, JSON.stringify({ a: [1, { b: null }] }), Math.max(1, 2), new Point().x,
        [...new Map([[1, 2]]).entries()], 'aXbX'.replaceAll('X', '-'), /(\d+)/.exec('a12')[1], (2n ** 64n).toString(),
        Object.keys(globalThis), typeof leaked, new Error('e').message, args === null, Reflect.ownKeys(power).length,
        Object.getOwnPropertyNames(Object.prototype).length, [].x, ({}).x, (() => {}).x, Object.getPrototypeOf([]) === Array.prototype,
    ];
}";

/// The object beside the attacked one, and what it answers while all is well.
struct Neighbour<'v> {
    object: Object<'v>,
    answer: String,
}

impl<'v> Neighbour<'v> {
    fn of(vat: &'v Vat) -> Self {
        let object = vat.object(NEIGHBOUR);
        let answer = object.text("null");
        Self { object, answer }
    }

    #[track_caller]
    fn is_well(&self, after: &str) {
        assert_eq!(self.object.text("null"), self.answer, "the neighbour's turn after: {after}");
    }
}

/// What the turn answered, as the test tells it.
fn told(ended: &Ended) -> String {
    match (ended.outcome, &ended.error, &ended.result_error) {
        (Outcome::Ok, _, Some(error)) => format!("not QJSON: {error}"),
        (Outcome::Ok, ..) => ended.result.get().to_owned(),
        (outcome, error, _) => format!("{outcome:?}: {}", error.as_deref().unwrap_or_default()),
    }
}

/// What `program`, called `times` times with the same arguments, answers in the engine as it comes: one
/// realm, nothing frozen, nothing taken away.
fn unlocked(program: &str, times: u32) -> String {
    let runtime = rquickjs::Runtime::new().expect("a runtime");
    let context = rquickjs::Context::full(&runtime).expect("a context");
    context.with(|ctx| {
        let script = format!(
            "globalThis.Q = {{ call() {{}}, sendOnly() {{}}, isReference: x => x?.isReference === true }};
             globalThis.add = (...parts) => Object.assign({{}}, ...parts);
             globalThis.console = {{ log() {{}} }};
             globalThis.TextEncoder = class {{ encode() {{}} }}; globalThis.TextDecoder = class {{ decode() {{}} }};
             const power = {{ memory: {{}}, clock() {{}}, random() {{}}, log() {{}}, make_object() {{}}, list: [1], deep: {{ list: [1] }} }};
             const args = {{ __proto__: {{ call() {{}}, sendOnly() {{}} }}, isReference: true }};
             const program = ({program});
             let answer;
             for (let n = 0; n < {times}; n++) answer = program(args, power);
             String(answer)"
        );
        ctx.eval::<String, _>(script).unwrap_or_else(|error| format!("{error}: {:?}", ctx.catch().as_exception()))
    })
}

/// What went wrong in a family, all of it: a list is worth more than its first line.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn expect(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        if !holds {
            self.0.push(failure());
        }
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{} failed:\n{}", self.0.len(), self.0.join("\n"));
        }
    }
}

/// Runs each program `times` times in the vat, where it must not answer `true`, and as often in the engine as
/// it comes, where it must.
fn held(attacks: &[Attack], times: u32) {
    let vat = vat();
    let mut failures = Failures::default();
    let neighbour = Neighbour::of(&vat);
    let target = vat.object("() => null").reference();
    let grant = qrt_tests::Grant { power: r#"{"list":[1],"deep":{"list":[1]}}"#, ..qrt_tests::Grant::default() };
    for (name, program) in attacks {
        let object = vat.object_with(program, &grant);
        for _ in 0..times {
            failures.expect(told(&object.send(&target)) != "true", || format!("{name}: it has what it reaches for"));
        }
        neighbour.is_well(name);
        let control = unlocked(program, times);
        failures.expect(control == "true", || format!("{name}: the control, where nothing is locked: {control}"));
    }
}
