//! What the parser takes and refuses, and that the table and the verbs agree.

use super::*;
use std::collections::BTreeSet;

fn parse(line: &str, qrt_dir: Option<&str>) -> Result<ArgMatches, clap::Error> {
    command(qrt_dir.map(OsStr::new)).try_get_matches_from(std::iter::once("qrt").chain(line.split_whitespace()))
}

const QRID: &str = "qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3";

#[test]
fn the_table_and_the_verbs_agree() {
    let table: Vec<_> = ACTIONS.iter().map(|action| action.verb).collect();
    let verbs: Vec<_> = VERBS.iter().map(|(verb, _)| *verb).collect();
    assert_eq!(table, verbs);
}

#[test]
fn the_parser_is_sound() {
    command(None).debug_assert();
    command(Some(OsStr::new("/srv/vat"))).debug_assert();
}

#[test]
fn every_documented_form_is_understood() {
    let examples = [
        "create-node d",
        "create-node d --listen 127.0.0.1:8080 --url http://vat.example",
        "start d",
        "start d --foreground",
        "start d --after-rollback --json",
        "stop d",
        "info d --json",
        "install d counter.js --name counter --memory {\"n\":0} --power {} --grant clock,random --no-make-object",
        "install d - --no-memory",
        "install d sample-methods --json",
        "send -d d counter {\"by\":1}",
        "send -d d --wait --timeout 2.5 --key once counter -5",
        "send --dir d --json counter null",
        "objects d --json --filter count",
        "object d counter --json",
        "memory d counter --json",
        "memory d counter --at 12",
        "memory d counter --diff 12 17 --json",
        "memory d counter --blame --key -5",
        "name d counter",
        "name d counter other --json",
        "name d counter --remove",
        "upgrade d counter better.js",
        "upgrade d counter - --json",
        "upgrade d counter - --dry-run",
        "install d - --dry-run",
        "memory-set d counter n -5",
        "memory-set d counter n {\"by\":1} --json",
        "memory-set d counter n 2 --expect -1",
        "hold d counter",
        "release d counter --json",
        "remove d counter --account",
        "remove d counter --yes --json",
        "inbox d --json",
        "turns d --json --follow --object counter -n 5",
        "turns d --count 5",
        "faults d --json",
        "fault-retry d 3",
        "fault-drop d 3 --json",
        "gossip a b c --json",
        "peer-add d rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q http://127.0.0.1:4000",
        "peers d --json",
        "outbox d --json",
        "outbox d --peer bob",
        "retry d",
        "retry d --peer bob",
        "drop d bob 7 --reason mistake",
        "drop d bob 7 --yes --json --reason mistake",
        "peer-resync d bob --yes",
        "why d",
        "why d counter ",
        "why d bob#7 --json",
        "trace d 12 --also e --also f --json",
        "trace d in:12",
        "replay d 12 --code better.js --args -5 --memory {} --json",
        "reach d counter --to other --limit 50 --dot",
        "reach d counter --from other --json",
        "reach d --native clock",
        "sweep d --dry-run --json",
        "backup d copy --with-key --json",
        "restore copy d --key k",
        "restore copy d --fork --json",
        "checkpoint d --json",
        "check d --full --json",
        "audit d -n 5 --json",
        "log d --follow --count 5 --json",
        "settings d --json",
        "console d --record f --also e --read-only --theme light --ascii --mouse",
        "demo --tour --record f",
        "completions bash",
        "man",
        "man send",
    ];
    let mut seen = BTreeSet::new();
    for example in examples {
        let line = example.replace("counter ", &format!("{QRID} "));
        let matches = parse(&line, None).unwrap_or_else(|error| panic!("{line}: {error}"));
        seen.insert(matches.subcommand_name().expect("a verb").to_owned());
    }
    assert_eq!(seen.len(), ACTIONS.len(), "an example for every verb: {seen:?}");
}

#[test]
fn wrong_usage_is_exit_2() {
    for line in [
        "",
        "nosuch",
        "info",
        "info a b",
        "info a --nosuch",
        "send counter 1",
        "send -d d counter",
        "memory d",
        "turns d -n many",
        "fault-drop d x",
        "send -d d --wait --timeout soon counter 1",
        "send -d d --wait --timeout -1 counter 1",
        "demo d",
        "completions",
        "completions tcsh",
        "console d --theme pink",
        "man nosuch",
        "gossip",
        "peer-add d",
        "drop d bob 7",
        "drop d bob seven --reason mistake",
        "trace d",
    ] {
        let error = parse(line, None).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}: {error}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for line in ["--help", "--version", "help send", "send --help"] {
        assert_eq!(parse(line, None).expect_err("it is printed").exit_code(), 0, "{line}");
    }
    assert_eq!(parse("--version", None).expect_err("it is printed").to_string(), "qrt 0.1.0\n");
}

#[test]
fn the_directory_may_come_from_the_environment_where_it_stands_alone() {
    let dir = |line: &str, name: &str| {
        let matches = parse(line, Some("/srv/vat")).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (_, args) = matches.subcommand().expect("a verb");
        args.get_one::<PathBuf>(name).expect("a directory").clone()
    };
    assert_eq!(dir("info", "DIR"), Path::new("/srv/vat"));
    assert_eq!(dir("turns -n 3", "DIR"), Path::new("/srv/vat"));
    assert_eq!(dir("info other", "DIR"), Path::new("other"));
    assert_eq!(dir("send counter 1", "dir"), Path::new("/srv/vat"));
    assert_eq!(dir("send -d other counter 1", "dir"), Path::new("other"));
    assert_eq!(dir("why", "DIR"), Path::new("/srv/vat"));
    assert_eq!(dir("reach --native clock", "DIR"), Path::new("/srv/vat"));
    assert_eq!(dir("why other", "DIR"), Path::new("other"), "the first word is the directory all the same");
    assert!(parse("memory counter", Some("/srv/vat")).is_err());
}

#[test]
fn a_missing_directory_is_told_of_the_variable_for_it() {
    let told = |line: &str, qrt_dir: Option<&str>| {
        let error = parse(line, qrt_dir).expect_err(line);
        let verb = line.split(' ').next().and_then(action::by_verb).expect("a verb");
        tip(&error, verb, qrt_dir.is_some())
    };
    assert!(told("info", None).is_some_and(|tip| tip.ends_with("where QRT_DIR is set")));
    assert!(told("send counter 1", None).is_some_and(|tip| tip.ends_with("where QRT_DIR is set")));
    assert!(told("memory counter", Some("/v")).is_some_and(|tip| tip.contains("only where a verb needs nothing else")));
    assert_eq!(told("memory counter", None), None);
    assert_eq!(told("info --nosuch", None), None);
    assert_eq!(told("completions", None), None);
}

#[test]
fn values_are_checked_before_anything_is_asked() {
    let told = |failure: Failure| failure.told().expect("a line");
    assert_eq!(
        told(value("{\"a\":[1,]}", "args").expect_err("bad JSON")),
        "qrt: args.a[1]: not a JSON value: expected one of { [ \" a number true false null (line 1, column 9)"
    );
    assert!(told(object_value("[1]", "memory").expect_err("an array")).contains("must be an object"));
    assert!(object_value(&format!("{{\"@qref\":\"{QRID}\"}}"), "power").is_err());
    assert_eq!(object_value(" {\"a\": 1.50}\n", "power").expect("an object").get(), "{\"a\": 1.50}");
    let long = format!("\"{}\"", "x".repeat(qjson::ARGS_BYTES_MAX));
    assert!(told(value(&long, "args").expect_err("too long")).contains("1048576"));
    assert!(told(target("Counter").expect_err("upper case")).contains("neither a QRID"));
}
