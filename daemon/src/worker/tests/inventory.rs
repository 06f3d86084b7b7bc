//! The finished realm, walked again from code and from the host: all of it is frozen, and it is what
//! somebody has looked at.
//!
//! `inventory.txt` is what code found when this was last looked at. An engine that brings an intrinsic
//! fails here until somebody has decided what code may do with it and has run
//! `QRT_INVENTORY=accept cargo test -p qrtd inventory`.

use std::collections::HashSet;
use std::path::Path;

use super::{World, in_world, result};

const WALK: &str = include_str!("inventory.js");

fn inventory(world: &mut World) -> String {
    world.budget.ticks = 100_000;
    world.install(1, WALK);
    world.install(2, "() => 1");
    let report = world.send(1, r#"{"@qref":2}"#);
    let told = result(&report);
    serde_json::from_str(&told).unwrap_or_else(|_| panic!("the walk ends well: {:?}", report.verdict))
}

#[test]
fn the_engine_is_the_one_that_was_looked_through() {
    assert_eq!(crate::worker::version(), crate::worker::KNOWN_VERSION);
}

#[test]
fn the_inventory_of_what_code_can_reach_is_the_one_that_was_looked_at() {
    in_world(|world| {
        let found = inventory(world) + "\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/worker/tests/inventory.txt");
        if std::env::var("QRT_INVENTORY").is_ok_and(|what| what == "accept") {
            std::fs::write(&file, &found).expect("the inventory is written");
        }
        let known = std::fs::read_to_string(&file).expect("the inventory");
        let mut differences = Vec::new();
        for (theirs, ours, sign) in [(&known, &found, '+'), (&found, &known, '-')] {
            let lines: HashSet<_> = blocks(theirs).collect();
            differences.extend(blocks(ours).filter(|line| !lines.contains(line)).map(|line| format!("{sign} {line}")));
        }
        assert!(
            found == known,
            "the realm is not what was looked at; decide what code may do with it, then run \
             `QRT_INVENTORY=accept cargo test -p qrtd inventory`:\n{}",
            differences.join("\n")
        );
    });
}

/// The lines, each property with the object it belongs to.
fn blocks(inventory: &str) -> impl Iterator<Item = String> {
    let mut object = "";
    inventory.lines().map(move |line| {
        if line.starts_with(' ') {
            format!("{object} {}", line.trim())
        } else {
            object = line.split(": ").next().unwrap_or_default();
            line.to_owned()
        }
    })
}

#[test]
fn the_inventory_holds_nothing_that_code_could_change() {
    in_world(|world| {
        let found = inventory(world);
        let objects = found.lines().filter(|line| !line.starts_with(' '));
        assert!(objects.clone().count() > 700, "the walk went everywhere");
        let open: Vec<_> = objects.filter(|line| line.contains(" OPEN")).collect();
        assert_eq!(open, [""; 0]);
        let mut fresh = false;
        for line in found.lines() {
            if line.starts_with(' ') {
                let loose =
                    [" w-c ", " wec ", " w-- ", " we- ", " -ec ", " --c "].iter().any(|loose| line.contains(loose));
                assert!(fresh || !loose, "{line}");
            } else {
                fresh = line.contains(" fresh");
            }
        }
    });
}

#[test]
fn walking_twice_finds_the_same() {
    in_world(|world| {
        let first = inventory(world);
        assert_eq!(first, inventory(world));
    });
}

/// Walks as the host can: from the global object and from the prototype of every class that the engine
/// knows, whether code can make one or not. Tells what is not frozen and what `known` has not.
const HOST_WALK: &str = r"(global, prototypes, mirror, walkOf) => {
    'use strict';
    let known;
    const power = { clock: Object.freeze(() => 1), memory: {} };
    walkOf(Object.create(mirror))(Object.freeze({ __proto__: Q }), power, paths => { known = paths });
    const seen = new Map();
    const queue = [];
    const reach = (value, path) => {
        if (Object(value) !== value || seen.has(value)) return;
        seen.set(value, path);
        queue.push(value);
    };
    reach(global, 'global');
    for (const prototype of prototypes) reach(prototype, 'class ' + prototype[Symbol.toStringTag]);
    for (let at = 0; at < queue.length; at++) {
        const path = seen.get(queue[at]);
        reach(Object.getPrototypeOf(queue[at]), path + '.__proto__');
        for (const key of Reflect.ownKeys(queue[at])) {
            const property = Object.getOwnPropertyDescriptor(queue[at], key);
            reach(property.value, path + '.' + String(key));
            reach(property.get, path + '.' + String(key) + '<get>');
            reach(property.set, path + '.' + String(key) + '<set>');
        }
    }
    const all = [...seen];
    const text = list => list.map(([, path]) => path).join('\n');
    return [text(all.filter(([object]) => !Object.isFrozen(object))), text(all.filter(([object]) => !known.has(object))), seen.size];
}";

#[test]
fn the_host_finds_nothing_open_and_nothing_that_code_does_not_find_but_what_was_taken_away() {
    in_world(|world| {
        let (open, unknown, count) = world.engine.host_walk(HOST_WALK, WALK);
        assert_eq!(open, "");
        // Nothing that is left leads to these.
        let gone = unknown.lines().filter(|path| !GONE.iter().any(|gone| path.starts_with(gone)));
        assert_eq!(gone.collect::<Vec<_>>(), [""; 0]);
        assert!(count > 1000.0, "the walk went everywhere: {count}");
    });
}

/// What only the host reaches: what the lockdown takes away, what the engine keeps to itself (the iterator
/// under a `for await` over a plain one, which has no tag), and References, of which this walk is given none.
const GONE: [&str; 7] = [
    "class DOMException",
    "class SharedArrayBuffer",
    "class WeakRef",
    "class FinalizationRegistry",
    "class CallSite",
    "class undefined",
    "class Reference",
];
