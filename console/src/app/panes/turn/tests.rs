use qrt_shared::view::{Traced, Turn as View};

use super::*;
use crate::app::query::{Data, Query, Tree};
use crate::app::script::{OTHER, Script, VAT, json, nth};

fn failed() -> View {
    let own = nth(0);
    json(&format!(
        r#"{{"turn":12,"message":"in:9","object":"{own}","name":"counter","source":"operator","code":"ab12",
        "args":{{"add":1e+21}},"outcome":"error","result":null,"result_error":null,
        "error":{{"message":"TypeError: no value","object":"{own}","line":3,"column":5,"excerpt":"  memory.x.y\n           ^"}},
        "changes":[{{"object":"{own}","key":"count","added":false,"old":41,"new":42}},
          {{"object":"{own}","key":"gone","added":false,"old":"x","deleted":true}},
          {{"object":"{own}","key":"fresh","added":true,"old":null,"new":[1]}}],
        "made":["{made}"],"sent":["in:10","{OTHER}#4"],"log":["started \u001b[2J"],"ticks":5,"cpu_us":1500,"at":1000000}}"#,
        made = nth(3)
    ))
}

fn step(vat: &str, turn: &str, message: &str, state: &str, object: u8) -> Traced {
    json(&format!(
        r#"{{"vat":"{vat}","turn":{turn},"message":{message},"state":"{state}","object":"{}","name":null,
            "error":null,"at":1000000,"cause":null,"from":null,"sent":[]}}"#,
        nth(object)
    ))
}

fn tree() -> Tree {
    let steps = vec![
        (0, step(VAT, "11", "\"in:8\"", "ok", 2)),
        (1, step(VAT, "12", "\"in:9\"", "error", 0)),
        (2, step(VAT, "null", "\"in:10\"", "queued", 1)),
        (2, step(VAT, "null", &format!("\"{OTHER}#4\""), "unacknowledged", 1)),
    ];
    Tree { vat: VAT.parse().expect("a vat"), steps }
}

fn answer(query: &Query) -> Option<Data> {
    match query {
        Query::Turn(12) => Some(Data::Turn(Box::new(failed()))),
        Query::Trace(Subject::Turn(12)) => Some(Data::Trace(tree())),
        _ => None,
    }
}

fn pane() -> Script {
    Script::new(false).into(turn(12, nth(0).parse().expect("a QRID")))
}

#[test]
fn a_turn_that_failed_shows_the_line_with_its_caret() {
    let mut script = pane();
    script.answers(answer);
    script.shows(&[
        "Turn 12",
        "[Turn]",
        "outcome       error",
        "object        counter\n",
        "5 ticks, 1.5 ms of CPU time",
    ]);
    script.shows(&["TypeError: no value", "line 3, column 5", "    memory.x.y\n             ^", "{\"add\": 1e+21}"]);
    script.keys("G");
    script.shows(&[r"started \u{1b}[2J"]);
    script.keys("\n");
    script.shows(&["Turn 12 > counter", "[Code]"]);
}

#[test]
fn changes_are_what_each_key_was_and_became() {
    let mut script = pane();
    script.answers(answer);
    script.keys("\t");
    script.shows(&["3 keys", "count  changed\n  - 41\n  + 42", "gone  deleted\n  - \"x\"\n", "fresh  added\n  + [1]"]);
    script.keys("jj\n");
    script.shows(&["[Memory]"]);
}

#[test]
fn what_a_turn_sent_leads_to_what_became_of_it() {
    let mut script = pane();
    script.keys("\t\t");
    script.answers(answer);
    script.shows(&[
        "sent 2 messages",
        "in:10  queued",
        "to mcp4zc..#4  unacknowledged",
        "made 1 object",
        &nth(3)[..70],
    ]);
    script.keys("j\n");
    assert!(script.state.queries().iter().any(|query| matches!(query, Query::Inbox(_))), "{}", script.drawn());
}

#[test]
fn the_tree_has_causes_above_effects_and_is_walked() {
    let mut script = pane();
    script.keys("\t\t\t");
    script.answers(answer);
    script.shows(&["turn 11  ok", "└ turn 12  error  <- here  aa2fzi", "  └ in:10  queued"]);
    script.keys("k\n");
    assert_eq!(script.state.queries().last(), Some(&Query::Turn(11)), "{}", script.drawn());
}

#[test]
fn a_step_in_another_vat_is_named_so_and_is_nothing_here() {
    let mut script = pane();
    script.keys("\t\t\t");
    script.answers(answer);
    script.shows(&["not followed into vat mcp4zc..: attach to its directory with --also"]);
    let mut crossed = tree();
    // It has the number of the turn that was asked about.
    crossed.steps.push((3, step(OTHER, "12", "\"in:3\"", "ok", 1)));
    script.answers(|query| matches!(query, Query::Trace(_)).then(|| Data::Trace(crossed.clone())));
    script.shows(&["mcp4zc.. turn 12  ok"]);
    let drawn = script.drawn();
    assert!(!drawn.contains("not followed") && drawn.matches("<- here").count() == 1, "{drawn}");
    script.keys("G\n");
    script.shows(&["v goes to the next vat", "[Tree]"]);
}
