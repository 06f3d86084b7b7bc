//! Power: what an object was granted.

use qrt_tests::Grant;
use serde_json::json;

use crate::vat;

#[test]
fn power_is_frozen_and_its_static_parts_deeply_so() {
    let vat = vat();
    let code = r"(args, power) => {
        const throws = run => { try { run(); return 'no' } catch (e) { return e.name } };
        return [Object.isFrozen(power), Object.isFrozen(power.cfg), Object.isFrozen(power.cfg.list), Object.isFrozen(power.cfg.list[0]), Object.isFrozen(power.clock),
            Object.isFrozen(power.memory), throws(() => { power.x = 1 }), throws(() => { power.cfg.list[0].n = 2 }), throws(() => { delete power.clock }),
            throws(() => { power.memory = {} }), throws(() => power.cfg.list.push(1)), throws(() => { power.clock.x = 1 }),
            Object.getPrototypeOf(power) === Object.prototype, power === args.none, Object.isFrozen(args)];
    }";
    let grant = Grant { power: r#"{"cfg":{"list":[{"n":1}]}}"#, ..Grant::default() };
    let t = "TypeError";
    assert_eq!(
        vat.object_with(code, &grant).result("{}"),
        json!([true, true, true, true, true, false, t, t, t, t, t, t, true, false, false])
    );
}

#[test]
fn an_object_has_the_power_it_was_granted_and_no_other() {
    let vat = vat();
    let code = "(args, power) => [Object.keys(power).sort(), power.memory]";
    let keys = |memory, power, natives| vat.object_with(code, &Grant { memory, power, natives }).text("null");
    assert_eq!(keys(None, "{}", &[]), "[[],null]");
    assert_eq!(keys(Some("{\"a\":1}"), "{}", &[]), r#"[["memory"],{"a":1}]"#);
    assert_eq!(keys(None, r#"{"x":null}"#, &["clock"]), r#"[["clock","x"],null]"#);
    assert_eq!(
        keys(Some("{}"), "{}", Grant::default().natives),
        r#"[["clock","log","make_account","make_object","memory","random"],{}]"#
    );
}

#[test]
fn an_operator_cannot_grant_nonsense() {
    let vat = vat();
    let refuse = |memory, power, natives| {
        vat.try_object("() => 1", &Grant { memory, power, natives }).err().expect("refused").error
    };
    assert!(refuse(Some("[]"), "{}", &[]).contains("memory"));
    assert!(refuse(Some("1"), "{}", &[]).contains("memory"));
    assert!(refuse(None, "[]", &[]).contains("power"));
    assert!(refuse(None, r#"{"memory":{}}"#, &[]).contains("memory"));
    assert!(refuse(None, r#"{"clock":1}"#, &["clock"]).contains("clock"));
    assert!(refuse(None, "{}", &["fly"]).contains("fly"));
    assert!(refuse(None, r#"{"@x":1}"#, &[]).contains("@x"));
}

#[test]
fn the_clock_stands_still_in_a_turn_and_never_goes_back() {
    let vat = vat();
    let code = "(o, power) => { for (let i = 0; i < 2e5; i++); const first = power.clock(); for (let i = 0; i < 2e5; i++); \
                return [first, power.clock(), o ? o.call() : first, (0, power.clock)(), Number.isInteger(first)] }";
    let callee = vat.object("(args, power) => power.clock()");
    let object = vat.object(code);
    let mut last = 0;
    for _ in 0..5 {
        let told = object.result(&callee.reference());
        let now = told[0].as_u64().expect("milliseconds");
        assert_eq!(told, json!([now, now, now, now, true]));
        assert!(now >= last);
        last = now;
        assert_eq!(object.last_turn().at, now, "the journal holds it");
    }
    // A year of 2024 or later, before 2100.
    assert!((1_704_067_200_000..4_102_444_800_000).contains(&last), "{last}");
    vat.qrt("stop", &[]).ok();
    vat.start();
    assert!(object.result("null")[0].as_u64().expect("milliseconds") >= last);
}

#[test]
fn random_gives_that_many_bytes_in_lower_case_hex() {
    let vat = vat();
    let object = vat.object("(args, power) => args.map(n => power.random(n))");
    let told = object.result("[0,1,20,1024,20]");
    for (text, bytes) in told.as_array().expect("a list").iter().zip([0, 1, 20, 1024, 20]) {
        let text = text.as_str().expect("text");
        assert_eq!(text.len(), 2 * bytes);
        assert!(text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{text}");
    }
    assert_ne!(told[2], told[4], "each call gives other bytes");
    assert_ne!(told, object.result("[0,1,20,1024,20]"), "and each turn");
    let code = "(args, power) => [-1, 1.5, 1025, Infinity, NaN, '1', undefined, null, {}, 1n].map(n => { try { return power.random(n) } catch (e) { return e.name } })";
    let (r, t) = ("RangeError", "TypeError");
    assert_eq!(vat.object(code).result("null"), json!([r, r, r, r, r, t, t, t, t, t]));
}

#[test]
fn log_writes_a_line_of_the_turns_log() {
    let vat = vat();
    let code = r"(args, power) => {
        const x = { a: [1, args] };
        power.log('text', x, 5, undefined, null, true, -0, 'two\nlines');
        x.a = 'changed';
        power.log(x);
        power.log();
        power.log(() => 1, new Map(), NaN, 10n, Symbol('s'), new TypeError('oops'), '\ud800');
        return power.log('z') === undefined;
    }";
    let object = vat.object(code);
    assert_eq!(object.text(&object.reference()), "true");
    let log = object.last_turn().log;
    assert_eq!(
        log[0], "text {\"a\":[1,[Reference]]} 5 undefined null true 0 two\nlines",
        "values are copied when logged"
    );
    assert_eq!(log[1], r#"{"a":"changed"}"#);
    assert_eq!(log[2], "");
    assert!(log[3].contains("a function") && log[3].contains("TypeError: oops"), "{}", log[3]);
    assert_eq!(log[4], "z");
    assert!(!log.join("").contains("qrt:"), "a log line tells no id");
}

#[test]
fn a_long_log_line_is_cut_and_harms_nobody() {
    let vat = vat();
    let object = vat.object("(args, power) => { power.log('é'.repeat(200000)); power.log('short'); return 1 }");
    assert_eq!(object.text("null"), "1");
    let log = object.last_turn().log;
    assert!(log[0].len() <= 64 << 10 && log[0].ends_with("..."), "{} bytes", log[0].len());
    assert_eq!(log[1], "short");
}

#[test]
fn add_lays_properties_over_a_description_of_power() {
    let vat = vat();
    let code = r"(args, power) => {
        const tell = p => Object.keys(p).map(key => key === 'memory' || key === 'x' || key === 'y' ? [key, p[key]] : key);
        const base = { x: 1, y: { z: 2 }, memory: power.memory };
        const over = add(base, { x: 3, w: 4 });
        return [tell(add(base, { memory: undefined })), tell(add(base, { memory: null })), tell(add(base, { x: undefined })), tell(add(base, { x: null })),
            tell(over), base.x, add(base, { y: 5 }).y, add(base, {}).memory === power.memory, Object.isFrozen(over), tell(add(base)), tell(add(base, null)), tell(add(null, { x: 1 })),
            tell(add(undefined, undefined)), Object.keys(add(power, { memory: null })).sort(), add({}, { ['__proto__']: 1 }).__proto__,
            add({ x: 1 }, { __proto__: { inherited: 1 } }).inherited, Object.isFrozen(add)];
    }";
    let told = vat.object_with(code, &Grant { memory: Some(r#"{"m":1}"#), ..Grant::default() }).text("null");
    assert_eq!(
        told,
        concat!(
            r#"[[["x",1],["y",{"z":2}]],[["x",1],["y",{"z":2}]],[["y",{"z":2}],["memory",{"m":1}]],[["x",null],["y",{"z":2}],["memory",{"m":1}]],"#,
            r#"[["x",3],["y",{"z":2}],["memory",{"m":1}],"w"],1,5,true,false,[["x",1],["y",{"z":2}],["memory",{"m":1}]],[["x",1],["y",{"z":2}],["memory",{"m":1}]],[["x",1]],"#,
            r#"[],["clock","log","make_account","make_object","random"],1,null,true]"#
        )
    );
    let refused = vat.run("(args, power) => [1, 'x', true, Symbol(), () => 1, power.make_object('() => 1')].map(x => { try { add({}, x); return 'added' } catch (e) { return e.name } })");
    assert_eq!(refused, r#"["TypeError","TypeError","TypeError","TypeError","TypeError","TypeError"]"#);
}
