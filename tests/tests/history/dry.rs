//! `--dry-run`: what an install or an upgrade would come to, and nothing of it happens.

use qrt_tests::Scratch;
use serde_json::json;

const PLAIN: &str = "function (args, power) {\n    return 1;\n}\n";

#[test]
fn a_dry_install_checks_the_code_and_says_what_it_would_reach() {
    let vat = Scratch::default().vat();
    let inner = vat.install("inner", PLAIN, &["--grant", "random,log"]);
    let outer = vat.install("outer", PLAIN, &["--power", &json!({ "inner": { "@qref": inner } }).to_string()]);
    let before = vat.qrt("info", &["--json"]).json()["objects"].clone();
    let file = vat.scratch.file("new.js", PLAIN);
    let file = file.to_str().expect("UTF-8");
    let power = json!({ "outer": { "@qref": outer }, "rate": 5 }).to_string();
    let dry = vat.qrt("install", &[file, "--name", "new", "--power", &power, "--dry-run", "--json"]).json();
    assert_eq!((&dry["objects"][0]["name"], &dry["objects"][0]["code_bytes"]), (&json!("new"), &json!(PLAIN.len())));
    assert_eq!(dry["power"]["natives"], json!({ "make_object": "make_object" }));
    let nodes = dry["reaches"]["nodes"].as_array().expect("nodes");
    let nodes: Vec<_> = nodes.iter().map(|node| json!([node["name"], node["distance"]])).collect();
    assert_eq!(nodes, [json!(["outer", 0]), json!(["inner", 1])]);
    assert_eq!(dry["natives_reached"], json!({ "log": 1, "make_object": 2, "random": 1 }));
    let shown = vat.qrt("install", &[file, "--power", &power, "--dry-run"]).ok();
    assert!(shown.contains("the code is good") && shown.contains("it could reach 2 objects"), "{shown}");
    assert!(
        vat.qrt("install", &[file, "--name", "inner", "--dry-run"])
            .refusal(1)
            .contains("something else is named inner")
    );
    let bad = vat.scratch.file("bad.js", "function (");
    let ran = vat.qrt("install", &[bad.to_str().expect("UTF-8"), "--dry-run"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("bad.js:1:"), "{}", ran.stderr);
    assert_eq!(vat.qrt("info", &["--json"]).json()["objects"], before, "nothing was installed");
}

#[test]
fn a_dry_upgrade_shows_the_difference_and_what_waits_for_it() {
    let vat = Scratch::default().vat();
    vat.install("plain", PLAIN, &[]);
    vat.qrt("hold", &["plain"]).ok();
    vat.scratch.qrt(&["send", "-d", vat.dir().to_str().expect("UTF-8"), "plain", "null"]).ok();
    let new = PLAIN.replace("return 1", "return 2");
    let file = vat.scratch.file("new.js", &new);
    let args = ["plain", file.to_str().expect("UTF-8"), "--dry-run"];
    let dry = vat.qrt("upgrade", &[&args[..], &["--json"]].concat()).json();
    assert_eq!((&dry["version"], &dry["queued"], &dry["same"]), (&json!(2), &json!(1), &json!(false)));
    let diff = dry["diff"].as_str().expect("a diff");
    assert!(
        diff.starts_with("--- version 1\n+++ ") && diff.contains("\n-    return 1;\n+    return 2;\n }\n"),
        "{diff}"
    );
    assert!(vat.qrt("upgrade", &args).ok().contains("1 queued message would run on it"));
    assert_eq!(vat.qrt("object", &["plain", "--json"]).json()["code"]["text"], PLAIN, "nothing was changed");
    vat.scratch.file("new.js", PLAIN);
    let same = vat.qrt("upgrade", &[&args[..], &["--json"]].concat()).json();
    assert_eq!((&same["same"], &same["diff"]), (&json!(true), &json!("")));
}

#[test]
fn a_dry_install_refuses_what_an_install_would_with_the_same_words() {
    let vat = Scratch::default().vat();
    vat.install("taken", "() => 1", &[]);
    let code = vat.scratch.file("new.js", "() => 2");
    let install = |args: &[&str]| {
        let args = [&[code.to_str().expect("UTF-8")], args].concat();
        let refused = vat.qrt("install", &args);
        (refused.code, refused.stderr)
    };
    for (args, words) in [
        (
            &["--memory", r#"{"a":"bbbbbbbbb"}"#, "--budget", "stored=5"][..],
            ["the object may keep 5", "--budget stored"],
        ),
        (
            &["--memory", r#"{"a":"bbbbbbbbb"}"#, "--account-budget", "memory=1"],
            ["its account", "--account-budget memory"],
        ),
        (&["--name", "taken"], ["something else is named taken", "choose another"]),
    ] {
        let dry = install(&[args, &["--dry-run"]].concat());
        assert_eq!(dry, install(args));
        assert_eq!(dry.0, Some(1));
        assert!(words.iter().all(|word| dry.1.contains(word)), "{}", dry.1);
    }
}
