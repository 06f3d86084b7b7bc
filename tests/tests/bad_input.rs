//! Bad input gets one clear line, the right exit code, and changes nothing.

use std::os::unix::fs::PermissionsExt;

use qrt_tests::{Scratch, Vat, programs};

const NOBODY: &str = "qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3";

/// What a vat is: its commits, and so everything.
fn commits(vat: &Vat) -> u64 {
    vat.qrt("info", &["--json"]).json()["commit"].as_u64().expect("a number")
}

#[test]
fn what_a_running_vat_is_asked_wrongly_leaves_no_trace() {
    let vat = Scratch::default().vat();
    let own = vat.install("counter", "function () { return 1; }", &[]);
    let stranger = format!("{}{}", &own[..own.len() - 4], "aaaa");
    let dir = vat.dir().to_str().expect("UTF-8").to_owned();
    let before = commits(&vat);
    let good = vat.scratch.file("good.js", "() => 1");
    let good = good.to_str().expect("UTF-8");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["send", "-d", &dir, "nobody", "1"], 1, "no object is named nobody"),
        (&["send", "-d", &dir, &stranger, "1"], 1, "no object"),
        (&["upgrade", &dir, NOBODY, good], 1, "another vat"),
        (&["send", "-d", &dir, "qrt:x/y", "1"], 1, "vat id"),
        (&["send", "-d", &dir, "counter", "{\"a\": [1,}"], 1, "line 1, column 10"),
        (&["send", "-d", &dir, "counter", "{\"a\": {\"@qref\": \"x\"}}"], 1, "args.a"),
        (&["send", "-d", &dir, "counter", "1e999"], 1, "double"),
        (&["send", "-d", &dir, "counter"], 2, "ARGSJSON"),
        (&["object", &dir, "nobody"], 1, "nobody"),
        (&["memory", &dir, &stranger], 1, "no object"),
        (&["install", &dir, good, "--name", "counter"], 1, "something else is named counter"),
        (&["install", &dir, good, "--name", "No Good"], 1, "petname"),
        (&["install", &dir, good, "--memory", "[1]"], 1, "memory"),
        (&["install", &dir, good, "--memory", "{\"a\": 1, \"a\": 2}"], 1, "twice"),
        (&["install", &dir, good, "--power", "{\"memory\": 1}"], 1, "memory"),
        (&["install", &dir, good, "--grant", "root"], 1, "root"),
        (&["install", &dir, "missing.js"], 1, "missing.js"),
        (&["fault-retry", &dir, "99"], 1, "no fault 99"),
        (&["fault-drop", &dir, "x"], 2, "x"),
        (&["frobnicate", &dir], 2, "frobnicate"),
    ];
    for (args, code, what) in cases {
        let ran = vat.scratch.qrt(args);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert_eq!(ran.code, Some(*code), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(what), "{args:?} must say {what}: {}", ran.stderr);
        assert!(*code == 2 || ran.stderr.lines().count() == 1, "{args:?}: one line: {}", ran.stderr);
    }
    assert_eq!(commits(&vat), before, "nothing was written");
}

#[test]
fn bad_code_is_refused_with_line_column_and_caret() {
    let vat = Scratch::default().vat();
    let before = commits(&vat);
    for (code, place, caret) in [
        ("function (args, power) {\n    return 1 +;\n}", ":2:15:", "    return 1 +;"),
        ("let x = 1;", ":1:1:", "let x = 1;"),
        ("async function () {}", ":1:1:", "async function () {}"),
        ("function* () {}", ":1:1:", "function* () {}"),
        ("(function () {})", ":1:1:", "(function () {})"),
        ("class {}", ":1:1:", "class {}"),
        ("function () {}) ; (function () {}", ":1:1:", "function () {})"),
        ("function () { return import('x'); }", ":1:22:", "import"),
    ] {
        let file = vat.scratch.file("bad.js", code);
        let ran = vat.qrt("install", &[file.to_str().expect("UTF-8")]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{code}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(lines[0].contains("bad.js") && lines[0].contains(place), "{code}: {}", lines[0]);
        assert!(lines[1].contains(caret) && lines[2].trim() == "^", "{code}: {}", ran.stderr);
    }
    let all = vat.scratch.path("all");
    std::fs::create_dir(&all).expect("a directory");
    std::fs::write(all.join("a.js"), "() => 1").expect("a file");
    std::fs::write(all.join("b.js"), "() => ").expect("a file");
    assert_eq!(vat.qrt("install", &[all.to_str().expect("UTF-8")]).code, Some(1));
    assert_eq!(commits(&vat), before, "of a directory with one bad file nothing is installed");
}

#[test]
fn a_directory_that_is_no_vat_or_not_ours_is_said_so() {
    let scratch = Scratch::default();
    let plain = scratch.path("plain");
    std::fs::create_dir(&plain).expect("a directory");
    let plain = plain.to_str().expect("UTF-8");
    for verb in ["info", "start", "stop", "objects"] {
        let refusal = scratch.qrt(&[verb, plain]).refusal(1);
        assert!(refusal.contains("not a vat's directory"), "{verb}: {refusal}");
    }
    std::fs::write(scratch.path("plain").join("file"), "").expect("a file");
    let refusal = scratch.qrt(&["create-node", plain]).refusal(1);
    assert!(refusal.contains("not empty"), "{refusal}");
    let refusal = scratch.qrt(&["create-node", "no/such/parent"]).refusal(1);
    assert!(refusal.contains("does not exist"), "{refusal}");
    let file = scratch.path("plain").join("file");
    std::os::unix::fs::symlink("nowhere", scratch.path("link")).expect("a link");
    let (link, below) = (scratch.path("link"), file.join("vat"));
    for (dir, named) in [(&file, &file), (&below, &file), (&link, &link)] {
        let refusal = scratch.qrt(&["create-node", dir.to_str().expect("UTF-8")]).refusal(1);
        assert!(refusal.contains(&format!("{} is no directory", named.display())), "{refusal}");
    }
    let refusal = scratch.qrt(&["create-node", "new", "--listen", "bogus"]).refusal(1);
    assert!(refusal.contains("'--listen <ADDR:PORT>'") && refusal.contains("such as 127.0.0.1"), "{refusal}");
    let long = "x".repeat(110);
    let refusal = scratch.qrt(&["create-node", &long]).refusal(1);
    assert!(refusal.contains("longer than 107 bytes"), "{refusal}");
    assert!(!scratch.path(&long).exists(), "nothing is left behind");
}

#[test]
fn a_vat_that_cannot_start_says_where_it_is_broken() {
    let vat = Scratch::default().vat();
    vat.qrt("stop", &[]).ok();
    let refused = || vat.qrt("start", &[]).refusal(1);
    let settings = vat.dir().join("settings.toml");
    let good = std::fs::read_to_string(&settings).expect("the settings");
    std::fs::write(&settings, "listen = \"bogus\"").expect("the settings");
    let refusal = refused();
    assert!(refusal.contains("line 1: `listen`: \"bogus\" is no address: write one such as"), "{refusal}");
    std::fs::write(&settings, good).expect("the settings");
    let socket = vat.dir().join("control.sock");
    std::fs::create_dir(&socket).expect("a directory");
    assert!(refused().contains(socket.to_str().expect("UTF-8")), "{}", refused());
    std::fs::remove_dir(&socket).expect("our directory");
    let database = vat.dir().join("vat.db");
    let mut bytes = std::fs::read(&database).expect("the database");
    bytes[100..].fill(0x5a);
    std::fs::write(&database, bytes).expect("the database");
    let refusal = refused();
    assert!(refusal.contains("restore a backup with `qrt restore`"), "{refusal}");
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let vat = Scratch::default().vat();
    let refusal = vat.qrt("start", &[]).refusal(1);
    let pid = vat.pid().expect("a pid").as_raw_nonzero().to_string();
    assert!(refusal.contains("in use") && refusal.contains(&pid), "{refusal}");
    // By another name it is still the same directory.
    let link = vat.scratch.path("link");
    std::os::unix::fs::symlink(vat.dir(), &link).expect("a link");
    let refusal = vat.scratch.qrt(&["start".as_ref(), link.as_os_str()]).refusal(1);
    assert!(refusal.contains("in use"), "{refusal}");
    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "running");
}

#[test]
fn a_vat_that_is_stopped_exits_3_where_its_daemon_is_needed() {
    let vat = Scratch::default().vat();
    vat.qrt("stop", &[]).ok();
    for verb in ["objects", "inbox", "turns", "faults", "stop"] {
        let refusal = vat.qrt(verb, &[]).refusal(3);
        assert!(refusal.contains("qrt start"), "{verb}: {refusal}");
    }
    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "stopped");
}

#[test]
fn a_vat_others_could_use_or_of_a_newer_schema_or_another_key_does_not_start() {
    let vat = Scratch::default().vat();
    vat.qrt("stop", &[]).ok();
    let mode = |mode| std::fs::set_permissions(vat.dir(), PermissionsExt::from_mode(mode)).expect("chmod");
    mode(0o755);
    let refusal = vat.qrt("start", &[]).refusal(1);
    assert!(refusal.contains("chmod go-rwx"), "{refusal}");
    mode(0o700);

    let database = vat.dir().join("vat.db");
    let version = |version: i64| {
        let database = rusqlite::Connection::open(&database).expect("the database");
        database.pragma_update(None, "user_version", version).expect("a version");
    };
    version(99);
    for verb in ["start", "info"] {
        let refusal = vat.qrt(verb, &[]).refusal(1);
        assert!(refusal.contains("schema version 99") && refusal.contains("newer qrtd"), "{verb}: {refusal}");
    }
    version(1);

    assert_eq!(vat.qrt("info", &["--json"]).json()["state"], "stopped");
    let key = vat.dir().join("key");
    std::fs::rename(&key, vat.dir().join("elsewhere")).expect("moved away");
    let refusal = vat.qrt("start", &[]).refusal(1);
    assert!(refusal.contains("key is missing") && refusal.contains("copy"), "{refusal}");
    std::fs::rename(vat.dir().join("elsewhere"), &key).expect("moved back");
    let own = std::fs::read(&key).expect("the key");
    std::fs::write(&key, format!("{}\n", "07".repeat(32))).expect("another key");
    let refusal = vat.qrt("start", &[]).refusal(1);
    assert!(refusal.contains("belongs to vat"), "{refusal}");
    std::fs::write(&key, "not a key\n").expect("no key");
    let refusal = vat.qrt("start", &[]).refusal(1);
    assert!(refusal.contains("64 hexadecimal digits") && !refusal.contains("not a key\n"), "{refusal}");
    std::fs::write(&key, own).expect("the own key");
    vat.start();
}

#[test]
fn settings_with_an_unknown_key_are_refused_by_line() {
    let vat = Scratch::default().vat();
    vat.qrt("stop", &[]).ok();
    let settings = vat.dir().join("settings.toml");
    let text = std::fs::read_to_string(&settings).expect("the settings");
    std::fs::write(&settings, format!("typo = 1\n{text}")).expect("settings");
    let refusal = vat.qrt("start", &[]).refusal(1);
    assert!(refusal.contains("settings.toml line 1") && refusal.contains("typo"), "{refusal}");
}

#[test]
fn a_qrtd_of_another_version_is_not_used() {
    let scratch = Scratch::default();
    let bin = scratch.path("bin");
    std::fs::create_dir(&bin).expect("a directory");
    std::fs::copy(&programs().qrt, bin.join("qrt")).expect("a copy");
    std::fs::write(bin.join("qrtd"), "#!/bin/sh\necho qrtd 9.9.9\n").expect("a stand-in");
    std::fs::set_permissions(bin.join("qrtd"), PermissionsExt::from_mode(0o755)).expect("chmod");
    let output = std::process::Command::new(bin.join("qrt"))
        .args(["create-node".as_ref(), scratch.path("vat").as_os_str()])
        .output()
        .expect("qrt runs");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("9.9.9") && stderr.contains("0.1.0") && stderr.lines().count() == 1, "{stderr}");
    assert!(!scratch.path("vat").exists());
}
