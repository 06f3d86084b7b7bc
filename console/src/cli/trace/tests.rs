//! Trees out of what several vats say, true or not.

use super::*;
use crate::cli::fake::{Answer, Fake, PEER, call};

const OTHER: &str = "beaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A step as a vat's daemon tells it.
fn step(vat: &str, turn: &str, message: &str, state: &str, cause: &str, sent: &str) -> Answer {
    told(vat, turn, message, state, cause, "null", sent)
}

fn told(vat: &str, turn: &str, message: &str, state: &str, cause: &str, from: &str, sent: &str) -> Answer {
    let error = if state == "error" { r#""oh no""# } else { "null" };
    Answer::Json(format!(
        r#"{{"vat":"{vat}","turn":{turn},"message":{message},"state":"{state}","object":null,"name":null,"error":{error},"at":null,"cause":{cause},"from":{from},"sent":[{sent}]}}"#
    ))
}

fn info(vat: &str) -> Answer {
    Answer::Json(format!(
        r#"{{"vat":"{vat}","url":null,"pid":1,"state":"running","version":"0.1.0","objects":0,"inbox":0,"outbox":0,"faults":0,"turns":0,"commit":0,"started_at":null,"worker":null}}"#
    ))
}

fn refused() -> Answer {
    Answer::Refusal(r#"{"error":"not known","hint":""}"#.into())
}

#[tokio::test]
async fn a_tree_begins_at_the_first_cause_and_branches() {
    let fake = Fake::new(vec![
        step(PEER, "3", r#""in:3""#, "ok", "1", r#""in:5""#),
        step(PEER, "1", r#""in:1""#, "ok", "null", r#""in:2","in:3","in:4""#),
        step(PEER, "4", r#""in:5""#, "error", "3", ""),
        step(PEER, "2", r#""in:2""#, "ok", "1", ""),
        step(PEER, "null", r#""in:4""#, "queued", "1", ""),
    ]);
    let (mut call, shown) = call(&["trace", &fake.dir().display().to_string(), "3"]);
    run(&mut call).await.expect("a tree");
    assert_eq!(
        shown.text(),
        "turn 1  ok\n├ turn 3  ok  <- asked about\n│ turn 4  error  oh no\n├ turn 2  ok\n└ in:4  queued\n"
    );
}

#[tokio::test]
async fn a_message_is_followed_up_and_down_over_vats() {
    let out = format!(r#""{OTHER}#7""#);
    let from = format!(r#"{{"vat":"{PEER}","seq":7,"cause":null}}"#);
    let alice = Fake::new(vec![
        info(PEER),
        step(PEER, "null", &out, "acknowledged", "12", ""),
        step(PEER, "12", r#""in:1""#, "ok", "null", &out),
    ]);
    let bob = Fake::new(vec![
        told(OTHER, "5", r#""in:4""#, "ok", "null", &from, r#""in:5""#),
        step(OTHER, "6", r#""in:5""#, "ok", "5", ""),
    ]);
    let dirs = [&alice, &bob].map(|fake| fake.dir().display().to_string());
    let (mut call, shown) = call(&["trace", &dirs[1], "in:4", "--also", &dirs[0]]);
    run(&mut call).await.expect("a tree");
    assert_eq!(
        shown.text(),
        "rnll4p.. turn 12  ok\nrnll4p.. to beaaaa..#7  acknowledged\nbeaaaa.. turn 5  ok  <- asked about\nbeaaaa.. \
         turn 6  ok\n"
    );
    assert!(alice.requests()[1].starts_with(&format!("GET /v1/trace/{OTHER}%237 ")), "{:?}", alice.requests());
}

#[tokio::test]
async fn the_console_gets_the_same_tree_with_its_depths() {
    let out = format!(r#""{OTHER}#7""#);
    let alice = Fake::new(vec![
        step(PEER, "12", r#""in:1""#, "ok", "null", &out),
        step(PEER, "null", &out, "acknowledged", "12", ""),
    ]);
    let from = format!(r#"{{"vat":"{PEER}","seq":7,"cause":null}}"#);
    let bob = Fake::new(vec![info(OTHER), told(OTHER, "5", r#""in:4""#, "ok", "null", &from, "")]);
    let others = [bob.dir().to_owned(), "/none".into()];
    let (vat, found) = steps(alice.dir(), &others, &Subject::Turn(12)).await.expect("a tree");
    let shape: Vec<_> = found.iter().map(|(depth, step)| (*depth, step.vat == vat, step.turn)).collect();
    assert_eq!(shape, [(0, true, Some(12)), (1, true, None), (2, false, Some(5))]);
}

#[tokio::test]
async fn what_nobody_named_is_said() {
    let out = format!(r#""{OTHER}#7""#);
    let fake = Fake::new(vec![
        step(PEER, "12", r#""in:1""#, "ok", "null", &out),
        step(PEER, "null", &out, "unacknowledged", "12", ""),
    ]);
    let (mut call, shown) = call(&["trace", &fake.dir().display().to_string(), "12"]);
    run(&mut call).await.expect("a tree");
    assert!(shown.text().contains("to beaaaa..#7  unacknowledged"), "{}", shown.text());
    assert!(shown.text().ends_with("\nNot followed into vat beaaaa..: name its directory with --also.\n"));
}

#[tokio::test]
async fn a_document_has_every_step_after_its_cause() {
    let fake = Fake::new(vec![
        step(PEER, "1", r#""in:1""#, "ok", "null", r#""in:2","in:9""#),
        step(PEER, "2", r#""in:2""#, "ok", "1", ""),
        refused(),
    ]);
    let (mut call, shown) = call(&["trace", &fake.dir().display().to_string(), "in:1", "--json"]);
    run(&mut call).await.expect("a tree");
    let trace: serde_json::Value = serde_json::from_str(&shown.text()).expect("one document");
    assert_eq!((&trace["asked"], &trace["complete"]), (&0.into(), &true.into()));
    let steps = trace["steps"].as_array().expect("steps");
    let parents: Vec<_> = steps.iter().map(|step| step["parent"].as_u64()).collect();
    assert_eq!(parents, [None, Some(0), Some(0)]);
    assert_eq!((&steps[1]["turn"], &steps[2]["state"]), (&2.into(), &"unknown".into()));
}

#[tokio::test]
async fn a_lie_that_goes_in_circles_ends() {
    let fake = Fake::new(vec![
        step(PEER, "1", r#""in:1""#, "ok", "2", r#""in:2""#),
        step(PEER, "2", r#""in:2""#, "ok", "1", r#""in:1""#),
        step(PEER, "1", r#""in:1""#, "ok", "2", r#""in:2""#),
    ]);
    let (mut call, shown) = call(&["trace", &fake.dir().display().to_string(), "1"]);
    run(&mut call).await.expect("a tree");
    assert_eq!(shown.text(), "turn 2  ok\nturn 1  ok  <- asked about\n");
}

#[tokio::test]
async fn a_large_tree_is_cut_and_says_so() {
    let sent: Vec<_> = (2..=1500).map(|number| format!(r#""in:{number}""#)).collect();
    let mut answers = vec![step(PEER, "1", r#""in:1""#, "ok", "null", &sent.join(","))];
    for number in 2..=STEPS_MAX {
        answers.push(step(PEER, &number.to_string(), &format!(r#""in:{number}""#), "ok", "1", ""));
    }
    let fake = Fake::new(answers);
    let (mut call, shown) = call(&["trace", &fake.dir().display().to_string(), "1"]);
    run(&mut call).await.expect("a tree");
    assert!(shown.text().contains("(500 further effects not shown)"));
    assert!(shown.text().ends_with("1000 steps are shown, 500 or more are cut: trace one of them to see more.\n"));
}

#[tokio::test]
async fn only_turns_and_messages_have_causes() {
    let (mut call, _) = call(&["trace", "/nowhere", "counter"]);
    assert!(run(&mut call).await.expect_err("an object").to_string().contains("is no turn and no message"));
}

#[tokio::test]
async fn a_message_of_which_nothing_is_known_has_no_tree() {
    let fake = Fake::new(vec![step(PEER, "null", r#""in:9999""#, "unknown", "null", "")]);
    let (mut call, shown) = call(&["trace", &fake.dir().display().to_string(), "in:9999"]);
    let failure = run(&mut call).await.expect_err("nothing");
    assert!(failure.to_string().starts_with("qrt: in:9999 is neither queued nor a fault"), "{failure}");
    assert_eq!((failure.code(), shown.text().as_str()), (1, ""));
}
