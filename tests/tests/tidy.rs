//! What the architecture promises about the source, looked up in the source.

use std::fs;
use std::path::{Path, PathBuf};

use qrt_shared::action::ACTIONS;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every Rust file below `dir`, with its path from the root and its text.
fn sources(dir: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a source directory") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    assert!(!found.is_empty(), "{dir} has sources");
    found
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

/// The lines outside tests that contain one of `words`, unless their file starts with one of `but`.
fn lines_with(dir: &str, words: &[&str], but: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources(dir) {
        if is_test(&name) || but.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (line, number) in code.lines().zip(1..) {
            let comment = line.trim_start().starts_with("//");
            if !comment && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    found
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_kernel_and_the_protocol_read_no_clock_no_randomness_no_file_and_no_socket() {
    let words = [
        "SystemTime",
        "Instant",
        "std::time",
        "std::fs",
        "std::net",
        "std::io",
        "getrandom",
        "tokio",
        "rusqlite",
        "rand::",
    ];
    none(&lines_with("daemon/src/vat", &words, &[]));
    none(&lines_with("daemon/src/peer", &words, &["daemon/src/peer/simulation/"]));
}

#[test]
fn the_console_decides_and_draws_without_clock_file_socket_or_thread() {
    let words = ["SystemTime", "Instant::now", "std::fs", "std::net", "std::io", "std::env", "std::thread", "tokio"];
    none(&lines_with("console/src/app", &words, &[]));
}

#[test]
fn only_one_module_seals_and_opens() {
    let words = ["crypto_box", "SalsaBox", "Hmac", ".secret()"];
    none(&lines_with("daemon/src", &words, &["daemon/src/key.rs", "daemon/src/peer/seal.rs"]));
}

#[test]
fn only_the_store_knows_sql() {
    let words = ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM", "PRAGMA", "rusqlite"];
    none(&lines_with("daemon/src", &words, &["daemon/src/store/"]));
    none(&lines_with("console/src", &words, &[]));
}

#[test]
fn only_the_store_makes_receipts_and_only_the_driver_lets_effects_out() {
    none(&lines_with("daemon/src", &["Receipt {"], &["daemon/src/store/mod.rs"]));
    let made = lines_with("daemon/src/store", &["Receipt {"], &[]);
    assert_eq!(made.iter().filter(|line| line.contains("Ok(Receipt {")).count(), 1, "{made:?}");
    let released = lines_with("daemon/src", &[".release("], &[]);
    assert!(matches!(released.as_slice(), [line] if line.starts_with("daemon/src/driver.rs")), "{released:?}");
}

#[test]
fn what_leaves_for_other_vats_was_read_from_what_is_committed() {
    // A parcel is made by a read, and a reader sees no open transaction; nobody else delivers.
    let made = lines_with("daemon/src", &["Parcel {"], &[]);
    assert!(made.iter().all(|line| line.starts_with("daemon/src/store/read/post.rs")), "{made:?}");
    assert!(made.iter().any(|line| line.contains("Ok(Parcel {")), "{made:?}");
    none(&lines_with("daemon/src", &[".deliver(vat", "Courier::new"], &["daemon/src/post.rs", "daemon/src/serve.rs"]));
}

#[test]
fn ids_and_keys_have_no_name_in_the_worker() {
    none(&lines_with(
        "daemon/src/worker",
        &["ObjectId", "VatId", "Qrid", "crate::key", "crate::store", "crate::vat"],
        &[],
    ));
    none(&lines_with(
        "daemon/src/protocol.rs".trim_end_matches("/protocol.rs"),
        &["ObjectId", "VatId", "Qrid"],
        &[
            "daemon/src/control",
            "daemon/src/intake.rs",
            "daemon/src/http",
            "daemon/src/peer",
            "daemon/src/store",
            "daemon/src/vat",
            "daemon/src/backup.rs",
            "daemon/src/key.rs",
            "daemon/src/serve.rs",
            "daemon/src/main.rs",
            "daemon/src/driver.rs",
        ],
    ));
}

#[test]
fn the_console_does_not_link_the_daemon() {
    let manifest = fs::read_to_string(root().join("console/Cargo.toml")).expect("its manifest");
    assert!(!manifest.contains("qrtd"), "{manifest}");
}

#[test]
fn lints_are_not_switched_off_without_a_reason() {
    for dir in ["shared/src", "daemon/src", "console/src", "tests/src", "tests/tests"] {
        // Spelled so that this line is not one.
        none(&lines_with(dir, &[concat!("#[al", "low("), concat!("#![al", "low(")], &[]));
    }
}

#[test]
fn the_readme_names_every_verb_as_the_table_does() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    for action in ACTIONS {
        let row = format!("| `{}` | {} |", action.verb, action.summary);
        assert!(readme.contains(&row), "the README must have the row {row}");
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let section = manifest.split("[workspace.dependencies]").nth(1).expect("the dependencies");
    let section = section.split("\n[").next().expect("the section");
    let (mut under_one_reason, mut checked) = (0, 0);
    for line in section.lines().filter(|line| !line.starts_with("qrt")) {
        if line.starts_with('#') {
            under_one_reason = 0;
        } else if let Some((name, _)) = line.split_once(" = ") {
            // One reason may stand over a few that belong together.
            under_one_reason += 1;
            assert!(checked > 0 || under_one_reason == 1, "{name} has no reason");
            assert!(under_one_reason <= 6, "{name} needs a reason of its own");
            checked += 1;
        }
    }
    assert!(checked > 20, "the section was read");
}
