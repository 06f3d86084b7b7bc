//! `docs/control.md` says what is so: its commands work, and its paths are those of the table.
//!
//! `QRT_DOCS=write` writes the paths anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use qrt_shared::action::{ACTIONS, Via};
use qrt_tests::Scratch;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/control.md");

fn page() -> String {
    fs::read_to_string(PAGE).expect("the page")
}

/// What stands in the blocks of this kind.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let start = format!("```{kind}\n");
    page.split(&start).skip(1).map(|rest| rest.split("```").next().expect("it ends")).collect()
}

/// The table's paths, as the page has them.
fn paths() -> String {
    let mut text = String::new();
    for action in ACTIONS {
        let Via::Control(routes) = &action.via else { continue };
        writeln!(text, "{}: {}", action.verb, action.summary).expect("a string");
        for route in *routes {
            let query = route.query.join(", ");
            let line = format!("    {:6} {}", route.method, route.path);
            writeln!(text, "{}", format!("{line:50} {query}").trim_end()).expect("a string");
            if !route.body.is_empty() {
                writeln!(text, "           {}", route.body).expect("a string");
            }
        }
    }
    text
}

#[test]
fn its_paths_are_those_of_the_table() {
    let page = page();
    let is = blocks(&page, "text")[0];
    let ought = paths();
    if std::env::var_os("QRT_DOCS").is_some_and(|wanted| wanted == "write") {
        fs::write(PAGE, page.replace(&format!("```text\n{is}"), &format!("```text\n{ought}"))).expect("the page");
        return;
    }
    assert!(is == ought, "QRT_DOCS=write cargo test -p qrt-tests --test control docs writes them anew:\n{ought}");
}

#[test]
fn its_commands_work() {
    let vat = Scratch::default().vat();
    let sample = Path::new("sample-methods");
    let dir = vat.dir().to_str().expect("UTF-8");
    vat.scratch.qrt(&["install", dir, sample.to_str().expect("UTF-8"), "--name", "counter"]).ok();
    let page = page();
    let commands: Vec<&str> = blocks(&page, "sh").into_iter().flat_map(str::lines).collect();
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        let shell = command.replace("curl ", "curl --silent --show-error --fail ").replace("~/vat", dir);
        let ran = Command::new("sh").args(["-c", &shell]).output().expect("a shell");
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && out.starts_with('{'), "{command}: {out} {err}");
    }
}
