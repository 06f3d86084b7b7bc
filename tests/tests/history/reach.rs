//! `qrt reach` and `qrt sweep`: who can reach whom.

use qrt_tests::{Scratch, Vat};
use serde_json::{Value, json};

/// Keeps what it is sent under a key, makes objects and forgets them.
const HOLDER: &str = "function ({ keep = {}, drop = [], make, say, to }, power) {
    Object.assign(power.memory, keep);
    for (const key of drop) delete power.memory[key];
    if (to) to.sendOnly(say);
    if (make) {
        const code = '(args, power) => { if (args) Object.assign(power.memory, args) }';
        return power.memory[make] = power.make_object(code, { memory: {}, friend: power.friend });
    }
}";

fn names(nodes: &Value) -> Vec<String> {
    nodes.as_array().expect("nodes").iter().map(|node| node["name"].as_str().unwrap_or("-").to_owned()).collect()
}

fn reference(qrid: &str) -> Value {
    json!({ "@qref": qrid })
}

/// A chain `a -> b -> c` by power, and `c -> a` by memory.
fn ring(vat: &Vat) -> [String; 3] {
    let c = vat.install("c", HOLDER, &["--grant", "clock"]);
    let b = vat.install("b", HOLDER, &["--power", &json!({ "friend": reference(&c) }).to_string()]);
    let a = vat.install(
        "a",
        HOLDER,
        &["--power", &json!({ "deep": [{ "in": reference(&b) }] }).to_string(), "--no-make-object"],
    );
    vat.result("c", &json!({ "keep": { "back": [reference(&a)] } }).to_string());
    [a, b, c]
}

#[test]
fn reach_follows_powers_and_memories_and_gives_the_shortest_way() {
    let vat = Scratch::default().vat();
    let [a, _, c] = ring(&vat);
    let reach = vat.qrt("reach", &["a", "--json"]).json();
    assert_eq!(names(&reach["reaches"]["nodes"]), ["b", "c", "a"][..2]);
    assert_eq!(names(&reach["reached_by"]["nodes"]), ["c", "b"]);
    assert_eq!(reach["reaches"]["nodes"][1]["natives"], json!(["clock", "make_object"]));
    assert_eq!(reach["reaches"]["more"], false);
    let few = vat.qrt("reach", &["a", "--limit", "1", "--json"]).json();
    assert_eq!((names(&few["reaches"]["nodes"]), &few["reaches"]["more"]), (vec!["b".to_owned()], &json!(true)));
    let way = vat.qrt("reach", &["b", "--to", "a", "--json"]).json();
    let links: Vec<_> = way["links"]
        .as_array()
        .expect("links")
        .iter()
        .map(|link| json!([link["name"], link["place"], link["key"]]))
        .collect();
    assert_eq!(links, [json!(["b", "power", "friend"]), json!(["c", "memory", "back"])]);
    assert_eq!(way["links"][1]["held"], json!(a));
    assert_eq!(vat.qrt("reach", &["a", "--from", "b", "--json"]).json()["links"], way["links"]);
    vat.result("c", r#"{"drop":["back"]}"#);
    let way = vat.qrt("reach", &["c", "--to", "a", "--json"]).json();
    assert_eq!((&way["links"], &way["complete"]), (&Value::Null, &json!(true)));
    assert!(vat.qrt("reach", &["c", "--to", "a"]).ok().contains("nothing in this vat leads from c to a"));
    let shown = vat.qrt("reach", &["c"]).ok();
    assert!(shown.contains("b holds in power.friend") && shown.contains("in other vats is unknown"), "{shown}");
    let dot = vat.qrt("reach", &["a", "--dot"]).ok();
    assert!(
        dot.starts_with("digraph reach {\n") && dot.contains(&format!("-> \"{c}\" [label=\"power.friend\"];")),
        "{dot}"
    );
    let apart = vat.qrt("reach", &["c", "--to", "a", "--dot"]).ok();
    assert!(apart.starts_with("digraph reach {\n") && apart.ends_with("];\n}\n"), "{apart}");
    assert!(apart.contains(&a) && apart.contains(&c) && !apart.contains("->"), "no way is a graph too: {apart}");
    for limit in ["0", "10001"] {
        let refusal = vat.qrt("reach", &["a", "--limit", limit]).refusal(1);
        assert!(refusal.contains("give 1 to 10000"), "{refusal}");
    }
    let clocks = vat.qrt("reach", &["--native", "clock", "--json"]).json();
    assert_eq!((names(&clocks), &clocks[0]["properties"]), (vec!["c".to_owned()], &json!(["clock"])));
    assert!(vat.qrt("reach", &["--native", "files"]).refusal(1).contains("no native power is called files"));
    assert_eq!(vat.qrt("reach", &[]).code, Some(2));
}

#[test]
fn what_keeps_an_object_is_named_and_a_sweep_lists_what_nothing_keeps() {
    let vat = Scratch::default().vat();
    vat.install("maker", HOLDER, &[]);
    let made: Vec<String> = ["x", "y", "z"]
        .iter()
        .map(|key| {
            vat.result("maker", &json!({ "make": key }).to_string())["@qref"].as_str().expect("a QRID").to_owned()
        })
        .collect();
    let [x, y, z] = &made[..] else { panic!("three objects") };
    assert_eq!(vat.qrt("sweep", &["--dry-run", "--json"]).json(), json!([]), "all are held");
    // x and y hold each other, which keeps neither.
    vat.result(x, &json!({ "other": reference(y) }).to_string());
    vat.result(y, &json!({ "other": reference(x) }).to_string());
    let kept = vat.qrt("reach", &[x, "--json"]).json()["kept_by"].clone();
    let kinds: Vec<_> = kept.as_array().expect("keepers").iter().map(|keeper| keeper["root"]["kind"].clone()).collect();
    assert_eq!(kinds, ["petname", "operator"], "{kept}");
    assert_eq!((&kept[0]["root"]["name"], &kept[0]["path"][0]["key"]), (&json!("maker"), &json!("x")));
    vat.result("maker", r#"{"drop":["x","y","z"]}"#);
    let swept = |vat: &Vat| -> Vec<Value> {
        let rows = vat.qrt("sweep", &["--dry-run", "--json"]).json();
        rows.as_array().expect("rows").iter().map(|row| row["object"].clone()).collect()
    };
    assert_eq!(swept(&vat), [json!(x), json!(y), json!(z)]);
    assert!(vat.qrt("reach", &[z]).ok().contains("nothing that is known"));
    vat.qrt("name", &[y, "why"]).ok();
    assert_eq!(swept(&vat), [json!(z)], "x is held by y, which has a name");
    // A message that waits holds what it names.
    vat.qrt("hold", &["maker"]).ok();
    let dir = vat.dir().to_str().expect("UTF-8");
    vat.scratch.qrt(&["send", "-d", dir, "maker", &json!({ "keep": { "z": reference(z) } }).to_string()]).ok();
    assert_eq!(swept(&vat), [Value::Null; 0]);
    assert_eq!(vat.qrt("reach", &[z, "--json"]).json()["kept_by"][0]["root"]["kind"], "message");
    assert!(vat.qrt("sweep", &["--dry-run"]).ok().contains("nothing known can reach 0 of 4 objects"));
}

#[test]
fn an_object_that_another_vat_was_told_of_is_kept_and_holders_there_are_no_secret_absence() {
    let vats = [(); 2].map(|()| Scratch::default().vat());
    let [here, there] = &vats;
    let dirs = vats.each_ref().map(|vat| vat.dir().to_str().expect("UTF-8").to_owned());
    here.scratch.qrt(&["gossip", &dirs[0], &dirs[1]]).ok();
    here.install("maker", HOLDER, &[]);
    let far = there.install("far", HOLDER, &[]);
    let made = here.result("maker", r#"{"make":"m"}"#)["@qref"].as_str().expect("a QRID").to_owned();
    here.result("maker", &json!({ "to": reference(&far), "say": { "keep": { "m": reference(&made) } } }).to_string());
    here.result("maker", r#"{"drop":["m"]}"#);
    assert_eq!(here.qrt("sweep", &["--dry-run", "--json"]).json(), json!([]), "the other vat may hold it");
    let kept = here.qrt("reach", &[&made, "--json"]).json()["kept_by"].clone();
    assert_eq!(kept[0]["root"]["kind"], "peer", "{kept}");
    here.result("maker", &json!({ "keep": { "far": reference(&far) } }).to_string());
    let node = here.qrt("reach", &["maker", "--json"]).json()["reaches"]["nodes"][0].clone();
    assert_eq!((&node["object"], &node["local"]), (&json!(far), &json!(false)));
}
