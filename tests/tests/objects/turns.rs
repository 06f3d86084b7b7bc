//! Turns: atomic, with the promise jobs inside, and faults that say where.

use qrt_shared::view::Outcome;
use qrt_tests::Grant;

use crate::vat;

#[test]
fn a_turn_that_throws_has_no_effect_at_all() {
    let vat = vat();
    let target = vat.object("() => 1");
    let code = "(o, power) => { power.memory.n = 2; power.memory.list.push(1); o.sendOnly(1); power.make_object('() => 1'); delete power.memory.gone; throw new Error('no') }";
    let memory = r#"{"n":1,"list":[],"gone":true}"#;
    let object = vat.object_with(code, &Grant { memory: Some(memory), ..Grant::default() });
    let column = code.find("Error(").expect("there") + 1;
    assert_eq!(object.error(&target.reference()), format!("Error: no (line 1, column {column})"));
    assert_eq!(object.memory(), memory);
    let turn = object.last_turn();
    assert_eq!((turn.outcome, turn.changes.len(), turn.made.len(), turn.sent.len()), (Outcome::Error, 0, 0, 0));
    assert_eq!(turn.result.get(), "null");
    // A message that was sent would be before this one.
    target.text("null");
    assert_eq!(target.turns(9).len(), 1);
}

#[test]
fn a_turn_over_a_budget_is_killed_whatever_the_code_catches() {
    let vat = vat();
    for (code, why) in [
        ("for (;;) { try { for (;;) {} } catch {} finally { memory.x = 2 } }", "ticks"),
        ("try { const keep = []; for (;;) keep.push(new Uint8Array(1e6)) } catch { n = 1 }", "memory"),
        ("for (let i = 0; i < 1001; i++) try { o.sendOnly(1) } catch {}", "messages"),
        ("for (let i = 0; i < 1001; i++) try { power.make_object('() => 1') } catch {}", "objects"),
        ("for (let i = 0; i < 1001; i++) try { power.log(1) } catch {}", "log lines"),
        ("for (let i = 0; i < 9; i++) try { o.sendOnly('x'.repeat(1e6)) } catch {}", "bytes"),
        ("try { memory.big = 'x'.repeat(5e6) } catch {}", "bytes"),
        ("(async () => { for (;;) await null })().catch(() => 1)", "promise jobs"),
        ("new Promise(() => { for (;;); }).catch(() => 1)", "ticks"),
        ("Promise.resolve({ then() { for (;;); } }).catch(() => 1)", "ticks"),
    ] {
        let object =
            vat.object(&format!("(o, power) => {{ let n = 0; const {{ memory }} = power; memory.x = 1; {code} }}"));
        let error = object.killed(&object.reference());
        assert!(error.contains(why), "{code}: {error}");
        assert_eq!(object.memory(), "{}", "{code}");
        assert_eq!(object.faults().len(), 1);
    }
    assert_eq!(vat.run("() => 1"), "1", "the vat goes on");
}

#[test]
fn promise_jobs_run_inside_the_turn_until_none_is_left() {
    let vat = vat();
    let target = vat.object("() => 1");
    let code = r"(o, power) => {
        const order = power.memory.order = ['start'];
        Promise.resolve().then(() => order.push('job')).then(() => order.push('job of a job'));
        (async () => { for (let i = 0; i < 3; i++) { await null; order.push(i) } o.sendOnly('late'); power.make_object('() => 1'); power.log('late') })();
        order.push('end');
        return order;
    }";
    let object = vat.object(code);
    let order = r#"["start","end","job",0,"job of a job",1,2]"#;
    assert_eq!(object.text(&target.reference()), order, "the result is taken when the jobs are done");
    assert_eq!(object.memory(), format!(r#"{{"order":{order}}}"#));
    let turn = object.last_turn();
    assert_eq!((turn.sent.len(), turn.made.len(), turn.log), (1, 1, vec!["late".to_owned()]));
}

#[test]
fn jobs_run_after_the_outermost_function_returns_and_not_before() {
    let vat = vat();
    let callee = vat.object("(list) => { Promise.resolve().then(() => list.push('job')); list.push('callee') }");
    let caller = vat.object("o => { const list = []; o.call(list); list.push('caller'); o.call(list); return list }");
    assert_eq!(caller.text(&callee.reference()), r#"["callee","caller","callee","job","job"]"#);
}

#[test]
fn a_rejection_that_nobody_handled_is_an_error() {
    let vat = vat();
    for (code, error) in [
        ("() => { Promise.reject(new RangeError('lost')) }", "RangeError: lost"),
        ("() => {\n  (async () => { await null; throw new TypeError('later') })() }", "TypeError: later"),
        ("() => Promise.reject('text')", "thrown: text"),
        ("() => { Promise.reject(1).then(() => 2) }", "thrown: 1"),
        ("() => { new Promise((_, reject) => reject({ code: 5 })).finally(() => 1) }", r#"thrown: {"code":5}"#),
    ] {
        let object = vat.object(&format!("(args, power) => {{ power.memory.x = 1; return ({code})() }}"));
        let told = object.error("null");
        assert!(told.starts_with(error), "{code}: {told}");
        assert_eq!(object.memory(), "{}");
    }
    for code in [
        "() => { Promise.reject(1).catch(() => 2); return 'fine' }",
        "() => { const p = Promise.reject(1); Promise.resolve().then(() => 1).then(() => p.catch(() => 1)); return 'fine' }",
        "() => { (async () => { try { await Promise.reject(1) } catch {} })(); return 'fine' }",
        "() => { Promise.allSettled([Promise.reject(1)]); new Promise(() => 1); return 'fine' }",
    ] {
        assert_eq!(vat.run(code), r#""fine""#, "{code}");
    }
    let line = vat.object("() => {\n  (async () => {\n    await null; throw new Error('here') })()\n}");
    line.error("null");
    assert_eq!(line.faults()[0].error.line, Some(3));
}

#[test]
fn a_returned_promise_is_a_result_that_is_not_qjson() {
    let vat = vat();
    let object = vat.object("(args, { memory }) => { memory.n = 1; return (async () => 5)() }");
    let ended = object.send("null");
    assert_eq!((ended.outcome, ended.result.get()), (Outcome::Ok, "null"));
    assert_eq!(ended.result_error.as_deref(), Some("result: an instance of Promise"));
    assert_eq!(object.memory(), r#"{"n":1}"#);
}

#[test]
fn a_fault_keeps_the_message_the_error_its_place_and_the_budget_used() {
    let vat = vat();
    let code = "(args) => {\n  const t = '€'; for (let i = 0; i < 1e6; i++);\n  return args.x.y.z;\n}";
    let object = vat.object(code);
    let args = r#"{"x":{"deep":[1,"€"]}}"#;
    let error = object.error(args);
    assert!(error.starts_with("TypeError: ") && error.contains("(line 3, column "), "{error}");
    let fault = object.faults().pop().expect("a fault");
    assert_eq!(fault.args.get(), args);
    assert_eq!(fault.source, "operator");
    assert_eq!(fault.outcome, Outcome::Error);
    assert!(fault.ticks >= 50, "{}", fault.ticks);
    assert_eq!(fault.error.line, Some(3));
    assert_eq!(fault.error.object.map(|object| object.to_string()), Some(object.qrid.clone()));
    let excerpt = fault.error.excerpt.expect("the line");
    let column = fault.error.column.expect("a column") as usize;
    assert_eq!(excerpt, format!("  return args.x.y.z;\n{}^", " ".repeat(column - 1)));
    assert_eq!(object.last_turn().error.expect("the journal says so too").line, Some(3));
}

#[test]
fn an_error_in_a_callee_has_its_place_in_the_callees_source() {
    let vat = vat();
    let callee = vat.object("\n\nfunction callee() {\n  throw new RangeError('deep');\n}");
    let caller = vat.object("o => { try { o.call() } catch (e) { throw e } }");
    caller.error(&callee.reference());
    let error = caller.faults().pop().expect("a fault").error;
    assert_eq!((error.object.map(|object| object.to_string()), error.line), (Some(callee.qrid.clone()), Some(4)));
    assert!(error.excerpt.expect("the line").contains("deep"));
    // A new error is the caller's own.
    let caller = vat.object("o => {\n  try { o.call() } catch (e) {\n    throw new Error('mine', { cause: e }) } }");
    caller.error(&callee.reference());
    let error = caller.faults().pop().expect("a fault").error;
    assert_eq!((error.object.map(|object| object.to_string()), error.line), (Some(caller.qrid.clone()), Some(3)));
}

#[test]
fn anything_can_be_thrown_and_is_described_without_running_code() {
    let vat = vat();
    let thrown = |value: &str| vat.object(&format!("(args, power) => {{ throw {value} }}")).error("null");
    assert_eq!(thrown("'text'"), "thrown: text");
    assert_eq!(thrown("undefined"), "thrown: undefined");
    assert_eq!(thrown("null"), "thrown: null");
    assert_eq!(thrown("5"), "thrown: 5");
    assert_eq!(thrown("{ code: 5 }"), r#"thrown: {"code":5}"#);
    assert_eq!(thrown("power.make_object('() => 1')"), "thrown: [Reference]");
    assert!(
        thrown("new (class Mine extends Error { constructor(m) { super(m); this.name = 'Mine' } })('hm')")
            .starts_with("Mine: hm")
    );
    assert!(thrown("new (class Mine extends Error {})('hm')").starts_with("Error: hm"));
    assert!(thrown("new Error('a', { cause: 1 })").starts_with("Error: a"));
    assert!(thrown("new AggregateError([], 'many')").starts_with("AggregateError: many"));
    for trap in [
        "new Proxy(new Error('x'), { get() { for (;;); } })",
        "({ toString() { for (;;); }, get message() { for (;;); } })",
        "Object.defineProperty(new Error('x'), 'message', { get() { for (;;); } })",
        "Object.defineProperty(new Error('x'), 'name', { get() { for (;;); } })",
        "Object.defineProperty(new Error('x'), 'stack', { get() { for (;;); } })",
        "Object.setPrototypeOf(new Error('x'), new Proxy({}, { get() { for (;;); } }))",
        "Symbol('s')",
        "1n",
        "() => 1",
    ] {
        assert!(!thrown(trap).is_empty(), "{trap}");
    }
    let long = thrown("new Error('é'.repeat(100000))");
    assert!(long.len() < 5000, "{} bytes", long.len());
}

#[test]
fn the_result_and_the_journal_tell_the_turn() {
    let vat = vat();
    let target = vat.object("() => 1");
    let object = vat.object(
        "(o, power) => { power.memory.n = 1; power.log('a'); o.sendOnly(1); return [power.make_object('() => 1')] }",
    );
    let result = object.result(&target.reference());
    let turn = object.last_turn();
    assert_eq!(turn.outcome, Outcome::Ok);
    assert_eq!(turn.result.get(), result.to_string());
    assert_eq!(turn.made[0].to_string(), result[0]["@qref"].as_str().expect("a QRID"));
    assert_eq!((turn.sent.len(), turn.log), (1, vec!["a".to_owned()]));
    assert_eq!((turn.changes.len(), turn.changes[0].key.as_str(), turn.changes[0].old.is_none()), (1, "n", true));
}

#[test]
fn messages_of_one_source_to_one_target_keep_their_order() {
    let vat = vat();
    let target = vat.object("(args, { memory }) => { (memory.got ??= []).push(args) }");
    vat.object("o => { for (let i = 0; i < 200; i++) o.sendOnly(i) }").text(&target.reference());
    target.wait_for_turns(200);
    let order: Vec<_> = (0..200).map(|n: u32| n.to_string()).collect();
    assert_eq!(target.memory(), format!(r#"{{"got":[{}]}}"#, order.join(",")));
}

#[test]
fn a_fault_is_retried_with_the_message_it_kept() {
    let vat = vat();
    let gate = vat.object("(args, { memory }) => { if (args === 'open') memory.open = true; return !!memory.open }");
    let code = "({ gate, n }, { memory }) => { if (!gate.call()) throw new Error('shut'); memory.n = n }";
    let object = vat.object(code);
    object.error(&format!(r#"{{"gate":{},"n":{{"@@x":[1]}}}}"#, gate.reference()));
    gate.text(r#""open""#);
    assert_eq!(object.faults().len(), 1, "it never runs again by itself");
    let id = object.faults()[0].id;
    vat.ask(async |client| client.fault_retry(id).await);
    object.wait_for_turns(2);
    assert_eq!(object.memory(), r#"{"n":{"@@x":[1]}}"#);
    assert!(object.faults().is_empty());
}

#[test]
fn later_messages_overtake_a_fault_and_a_retried_one_goes_to_the_end() {
    let vat = vat();
    let code = "(n, { memory }) => { (memory.ran ??= []).push(n); if (n === 1 && memory.ran.length === 1) throw new Error('not yet'); memory.done = true }";
    let target = vat.object(code);
    vat.object("o => { for (const n of [1, 2, 3]) o.sendOnly(n) }").text(&target.reference());
    target.wait_for_turns(3);
    assert_eq!(target.memory(), r#"{"ran":[2,3],"done":true}"#);
    let fault = &target.faults()[0];
    assert_eq!(fault.args.get(), "1");
    let id = fault.id;
    vat.ask(async |client| client.fault_retry(id).await);
    target.wait_for_turns(4);
    assert_eq!(target.memory(), r#"{"ran":[2,3,1],"done":true}"#);
}

#[test]
fn a_fault_can_be_dropped() {
    let vat = vat();
    let object = vat.object("() => { throw 1 }");
    object.error("null");
    let id = object.faults()[0].id;
    vat.ask(async |client| client.fault_drop(id).await);
    assert!(object.faults().is_empty());
}
