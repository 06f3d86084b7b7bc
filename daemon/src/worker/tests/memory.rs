//! What a Memory keeps, and what it refuses.

use super::{error, in_world, result};

#[test]
fn only_what_changed_is_reported() {
    in_world(|world| {
        world.install_with(
            1,
            "(args, { memory }) => { memory.list.push(4); memory.same = memory.same; delete memory.gone; memory.fresh = { a: 1 } }",
            "{}",
            Some((5, r#"{"list":[1],"same":"s","gone":1,"other":{"x":[]}}"#)),
        );
        let report = world.send(1, "null");
        assert_eq!(report.memories.len(), 1);
        let change = &report.memories[0];
        assert_eq!(change.memory, 5);
        assert_eq!(change.deleted, ["gone"]);
        let set: Vec<_> = change.set.iter().map(|(key, text)| format!("{key}={text}")).collect();
        assert_eq!(set, ["list=[1,4]", r#"fresh={"a":1}"#]);
        world.install_with(2, "(args, { memory }) => Object.keys(memory)", "{}", Some((5, "{\"a\":1}")));
        assert!(world.send(2, "null").memories.is_empty());
    });
}

#[test]
fn key_order_is_javascripts_and_lasts() {
    in_world(|world| {
        let code = r"(args, { memory }) => {
            for (const [what, key] of args) {
                if (what === 'set') memory[key] = Object.keys(memory).length;
                else delete memory[key];
            }
            return JSON.stringify(memory);
        }";
        world.install(1, code);
        let turns = [
            r#"[["set","b"],["set","a"],["set","10"],["set","2"]]"#,
            r#"[["delete","b"],["set","b"]]"#,
            r#"[["set","c"],["delete","a"],["set","1"]]"#,
            r#"[["set","z"],["delete","b"],["set","y"],["set","b"],["set","c"]]"#,
            r#"[["delete","c"],["set","@k"],["set","c"],["set","__proto__"]]"#,
        ];
        for args in turns {
            let live = result(&world.send(1, args));
            let seen = result(&world.send(1, "[]"));
            assert_eq!(live, seen, "after {args}");
        }
    });
}

#[test]
fn what_a_memory_cannot_keep_fails_the_turn_with_its_path() {
    in_world(|world| {
        let cases = [
            (
                "Object.defineProperty(memory, 'x', { get() { return 1 }, enumerable: true, configurable: true })",
                "memory.x: ",
            ),
            ("memory.a.b = { get c() { return 1 } }", "memory.a.b.c: "),
            ("memory[Symbol('s')] = 1", "memory: a symbol"),
            ("memory.a[Symbol('s')] = 1", "memory.a: a symbol"),
            ("Object.defineProperty(memory, 'x', { value: 1 })", "memory.x: "),
            ("Object.defineProperty(memory.a, 'x', { value: 1, enumerable: true })", "memory.a.x: "),
            ("Object.freeze(memory)", "memory: frozen"),
            ("Object.freeze(memory.a)", "memory.a: frozen"),
            ("Object.seal(memory.list)", "memory.list: frozen"),
            ("Object.preventExtensions(memory.a)", "memory.a: frozen"),
            ("Object.setPrototypeOf(memory, null)", "memory: an object with another prototype"),
            ("Object.setPrototypeOf(memory.a, {})", "memory.a: an object with another prototype"),
            ("memory.f = () => 1", "memory.f: a function"),
            ("memory.list[2] = new Map()", "memory.list[2]: an instance of Map"),
            ("memory.n = 0 / 0", "memory.n: NaN"),
            ("memory['a b'] = { x: 1n }", "memory[\"a b\"].x: a BigInt"),
            ("memory.self = memory", "memory.self: a cycle"),
            ("memory.p = new Proxy({}, {})", "memory.p: a Proxy"),
        ];
        for (index, (change, path)) in (10..).zip(cases) {
            let code = format!("(args, {{ memory }}) => {{ memory.before = 1; {change} }}");
            world.install_with(index, &code, "{}", Some((index, r#"{"a":{"b":1},"list":[1,2]}"#)));
            let report = world.send(index, "null");
            let error = error(&report);
            assert!(error.message.starts_with(&format!("TypeError: {path}")), "{change}: {}", error.message);
            assert_eq!(error.object, Some(index));
            assert!(report.memories.is_empty());
            assert_eq!(world.memory(index), r#"{"a":{"b":1},"list":[1,2]}"#);
        }
    });
}

#[test]
fn two_names_for_one_object_part_at_the_end_of_the_turn() {
    in_world(|world| {
        world.install(1, "(args, { memory }) => { if (args) memory.a.x = 2; else memory.b = memory.a = { x: 1 }; }");
        world.send(1, "null");
        world.send(1, "true");
        assert_eq!(world.memory(1), r#"{"a":{"x":2},"b":{"x":1}}"#);
    });
}

#[test]
fn a_memory_keeps_references_and_odd_keys() {
    in_world(|world| {
        world.install(
            1,
            r#"(args, { memory }) => {
                if (args) { memory.friend = args; memory["@at"] = { "@qref": 1 }; Object.defineProperty(memory, "__proto__", { value: 1, writable: true, enumerable: true, configurable: true }); return }
                return [Q.isReference(memory.friend), memory["@at"], Object.keys(memory)];
            }"#,
        );
        world.send(1, r#"{"@qref":77}"#);
        let entries = world.memory(1);
        assert_eq!(entries, r#"{"friend":{"@qref":77},"@@at":{"@@qref":1},"__proto__":1}"#);
        assert_eq!(result(&world.send(1, "null")), r#"[true,{"@@qref":1},["friend","@at","__proto__"]]"#);
    });
}

#[test]
fn objects_that_share_a_memory_see_one_object() {
    in_world(|world| {
        world.install_with(
            1,
            "(args, { memory }) => { memory.n = 1; args.call(memory); return memory.n }",
            "{}",
            Some((5, "{}")),
        );
        world.install_with(
            2,
            "(theirs, { memory }) => { if (theirs !== memory) throw 1; memory.n++ }",
            "{}",
            Some((5, "{}")),
        );
        let report = world.send(1, r#"{"@qref":2}"#);
        assert_eq!(result(&report), "2");
        assert_eq!(report.memories.len(), 1);
    });
}
