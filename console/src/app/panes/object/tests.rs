use qrt_shared::view::{Entry, Fault, Object};

use super::*;
use crate::app::event::{Effect, Event};
use crate::app::query::{Data, Query};
use crate::app::request::{Reply, Request};
use crate::app::script::{OTHER, Script, VAT, json, nth, page};

const CODE: &str = "(args, { memory }) => {\n  // counts\n  memory.count = memory.count.next.value + args\n  return `${memory.count}`\n}";

/// An object with code, power and a past.
fn counter() -> Object {
    let (own, bank) = (nth(0), nth(1));
    let code = serde_json::to_string(CODE).expect("JSON");
    json(&format!(
        r#"{{"qrid":"{own}","name":"counter","turns":7,"faults":2,"memory_bytes":2048,"cpu_us":1500,"created_at":5000,
        "account":"{bank}","held":false,"queued":3,"refused":4,
        "code":{{"sha256":"ab12cd34ef","text":{code},"version":2,
          "history":[{{"version":1,"sha256":"00","text":"(args) => args","until":6}}]}},
        "power":{{"statics":{{"rate":1.50}},"natives":{{"now":"clock"}}}},"memory":null,"maker":null,"budget":{{"ticks":9}},
        "account_use":{{"budget":{{}},"objects":2,"memory_bytes":9,"queued_bytes":0,"cpu_us":3,"cpu_left_us":-2000}},
        "held_why":null,"deaths":1,"killed":[{{"at":7000,"how":"out of memory","message":"in:3","turn":4}}],
        "holds":[{{"object":"{bank}","name":"bank","place":"power","key":"till"}},
          {{"object":"qrt:{OTHER}/aa2fziy4eazx2seb54ittqs77cr5lfj3","name":null,"place":"memory","key":"far"}}],
        "held_by":[{{"object":"{bank}","name":"bank","place":"memory","key":"clients"}}]}}"#
    ))
}

fn fault(id: u64, line: u32, excerpt: &str) -> Fault {
    let own = nth(0);
    let excerpt = serde_json::to_string(&format!("{excerpt}\n    ^")).expect("JSON");
    json(&format!(
        r#"{{"id":{id},"message":"in:9","turn":12,"target":"{own}","name":null,"source":"operator","args":1,
        "outcome":"error","error":{{"message":"TypeError: no \u001b[2Jvalue","object":"{own}","line":{line},"column":5,
        "excerpt":{excerpt}}},"ticks":1,"used":{{"cpu_us":1,"bytes":1,"messages":0,"objects":0,"jobs":0}},"at":1000000}}"#
    ))
}

fn entry(key: &str, turn: u64, value: &str) -> Entry {
    json(&format!(r#"{{"key":"{key}","bytes":30,"value":{value},"turn":{turn}}}"#))
}

fn pane(key: Option<&str>) -> Script {
    let qrid = nth(0).parse().expect("a QRID");
    Script::new(false).into(object(qrid, Some("counter".parse().expect("a name")), false, key.map(str::to_owned)))
}

fn answer(query: &Query) -> Option<Data> {
    match query {
        Query::Object(_) => Some(Data::Object(Box::new(counter()))),
        Query::Faults(_) => {
            let faults =
                vec![fault(1, 2, "something it no longer has"), fault(2, 3, "memory.count = memory.count.next")];
            Some(Data::Faults(page(faults)))
        }
        Query::Entries(..) => Some(Data::Entries(page(vec![
            entry("count", 5, "41"),
            entry("friends", 6, &format!(r#"{{"bob":{{"@qref":"{}"}},"list":[10,[20,30]]}}"#, nth(1))),
            json(r#"{"key":"large","bytes":70000,"value":null,"head":"[1,2,3","turn":7}"#),
        ]))),
        _ => None,
    }
}

#[test]
fn code_has_the_errors_beside_its_lines_where_it_still_has_those_lines() {
    let mut script = pane(None);
    script.shows(&["[Code]", "Memory", "reading ..."]);
    script.answers(answer);
    script.shows(&["counter", "version 2, 5 lines", " 1 (args, { memory }) => {", "!3   memory.count", "! TypeError"]);
    assert!(script.drawn().contains(r"no \u{1b}[2Jvalue"), "an error steers no terminal");
    assert!(!script.drawn().contains("!2"), "the fault of other code marks nothing");
    script.keys("jj");
    script.shows(&["! line 3: TypeError", "Enter goes into it"]);
    script.keys("\n");
    script.shows(&["Fault 2"]);
}

#[test]
fn code_is_moved_to_the_side_and_edited() {
    let mut script = pane(None);
    script.answers(answer);
    script.keys("→");
    script.shows(&[" 1  memory }) => {"]);
    let effects = script.keys("e");
    assert!(matches!(&effects[..], [Effect::Ask(Request::ReadCode(object, _))] if object.to_string() == nth(0)));
}

#[test]
fn memory_is_a_tree_that_is_opened_and_closed() {
    let mut script = pane(Some("count"));
    script.answers(answer);
    script.shows(&["count: 41", "▸ friends: {\"bob\":{\"@qref\"", "30 B, turn 6", "▸ large: [1,2,3"]);
    script.keys("j→");
    script.shows(&["▾ friends: {", "\"bob\": {\"@qref\"", "▸ \"list\": [10,[20,30]]"]);
    script.keys("jj→");
    script.shows(&["0: 10", "▸ 1: [20,30]"]);
    script.keys("←←←");
    script.shows(&["▸ friends"]);
    assert!(!script.drawn().contains("\"list\": ["), "{}", script.drawn());
}

#[test]
fn a_reference_in_memory_leads_to_its_object() {
    let mut script = pane(Some("count"));
    script.answers(answer);
    script.keys("j\nj\n");
    assert!(script.state.queries().contains(&Query::Object(nth(1).parse().expect("a QRID"))), "{}", script.drawn());
}

#[test]
fn a_value_that_is_not_whole_is_asked_for_when_it_is_opened() {
    let mut script = pane(Some("count"));
    script.answers(answer);
    script.keys("jj→");
    script.shows(&["▾ large", "reading ..."]);
    let whole = Query::Entry(nth(0).parse().expect("a QRID"), "large".to_owned());
    assert!(script.state.queries().contains(&whole));
    let large = entry("large", 7, r#"[1,2,3,{"last":true}]"#);
    script.event(Event::Loaded(whole.clone(), Box::new(Data::Entry(large))));
    script.shows(&["0: 1", "▸ 3: {\"last\":true}"]);
    assert!(!script.state.queries().contains(&whole), "what is here is not asked again");
}

#[test]
fn a_key_that_changed_is_marked_until_it_is_looked_at() {
    let mut script = pane(Some("count"));
    script.answers(answer);
    script.answers(|query| {
        let later = || vec![entry("count", 5, "41"), entry("friends", 8, "null"), entry("new", 9, "1")];
        matches!(query, Query::Entries(..)).then(|| Data::Entries(page(later())))
    });
    script.shows(&["* 1 changed since you looked", "*   friends: null  30 B, turn 8", "turn 8"]);
    script.keys("j");
    assert!(!script.drawn().contains('*'), "{}", script.drawn());
}

#[test]
fn keys_are_found_by_how_they_begin() {
    let mut script = pane(Some("count"));
    script.answers(answer);
    script.keys("/fri\n");
    let asked = script.state.queries();
    assert!(
        asked.iter().any(|query| matches!(query, Query::Entries(_, listing) if listing.filter == "fri")),
        "{asked:?}"
    );
    script.answers(|query| {
        matches!(query, Query::Entries(..)).then(|| Data::Entries(page(vec![entry("friends", 7, "null")])))
    });
    script.shows(&["keys that begin with \"fri\"", "friends: null"]);
    assert!(!script.drawn().contains("count:"), "{}", script.drawn());
    script.answers(|query| matches!(query, Query::Entries(..)).then(|| Data::Entries(page(vec![]))));
    script.shows(&["no key begins with this"]);
}

#[test]
fn what_a_part_does_not_do_it_says() {
    let mut script = pane(None);
    for (keys, word) in [("/", "filter"), (" ", "pause"), ("o", "sort"), ("\t ", "pause")] {
        script.keys(keys);
        script.shows(&[&format!("{word} does nothing here")]);
    }
}

#[test]
fn a_value_is_edited_shown_and_set_only_when_asked_to() {
    let mut script = pane(Some("count"));
    script.answers(answer);
    let effects = script.keys("e");
    let [Effect::Ask(read @ Request::ReadKey(..))] = &effects[..] else { panic!("{effects:?}") };
    let effects = script.answered(read, Ok(Reply::Value(Some("41".to_owned()))));
    let [Effect::Edit(edit)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((edit.text.as_str(), edit.suffix), ("41\n", ".json"));
    script.event(Event::Edited(edit.clone(), Some("42\n".to_owned())));
    script.shows(&["New value for count?", "- 41", "+ 42"]);
    assert!(!script.drawn().contains("in the editor"), "it has ended: {}", script.drawn());
    let effects = script.keys("y");
    let [Effect::Ask(set)] = &effects[..] else { panic!("{effects:?}") };
    let expected = Request::MemorySet {
        object: nth(0).parse().expect("a QRID"),
        key: "count".into(),
        value: "42".into(),
        expect: Some("41".into()),
    };
    assert_eq!(*set, expected);
    script.answered(set, Err("no such value".to_owned()));
    script.shows(&["New value for count?", "no such value"]);
    script.answered(set, Ok(Reply::Set(9)));
    script.shows(&["[Memory]", "set, as turn 9"]);
}

#[test]
fn a_key_that_is_not_there_yet_is_set() {
    let mut script = pane(Some("none"));
    script.answers(|query| matches!(query, Query::Entries(..)).then(|| Data::Entries(page(vec![]))));
    script.shows(&["no keys", "m sets one"]);
    assert!(Script::asked(&script.keys("e")).is_empty(), "what is not there is not edited, nor anything else");
    script.shows(&["there is no key to edit"]);
    let asked = Script::asked(&script.keys("mnew\n"));
    let object: Qrid = nth(0).parse().expect("a QRID");
    assert_eq!(asked, [Request::ReadKey(object.clone(), "new".into())]);
    let effects = script.answered(&asked[0], Ok(Reply::Value(None)));
    let [Effect::Edit(edit)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(edit.text, "");
    script.event(Event::Edited(edit.clone(), Some("7\n".to_owned())));
    script.shows(&["New value for new?", "+ 7"]);
    let set = Request::MemorySet { object, key: "new".into(), value: "7".into(), expect: None };
    assert_eq!(Script::asked(&script.keys("y")), [set]);
}

#[test]
fn power_shows_what_is_held_and_by_whom_and_leads_there() {
    let mut script = pane(None);
    script.keys("\t\t");
    script.answers(answer);
    script.shows(&["[Power]", "holds 2, held by 1", "native clock", "\"rate\": 1.50", "bank  as power.till"]);
    script.shows(&["in vat mcp4zc..", "bank  in its memory.clients", "other vats may hold more: nobody can know"]);
    script.keys("G");
    script.keys("k\n");
    assert!(script.state.queries().contains(&Query::Object(nth(1).parse().expect("a QRID"))), "{}", script.drawn());
}

#[test]
fn use_has_budgets_deaths_and_what_changed_between_versions() {
    let mut script = pane(None);
    script.keys("\t\t\t\t");
    script.answers(answer);
    script.shows(&[
        "[Use]",
        "ticks=9",
        "4 messages had no room",
        "2.0 KiB",
        "left: owes 2.0 ms",
        "as settings.toml says",
    ]);
    script.keys("G");
    script.shows(&["out of memory", "version 2     since turn 6", "version 1     from the beginning"]);
    script.keys("k\n");
    script.shows(&["version 2 of counter against 1", "- (args) => args", "+   // counts"]);
}

#[test]
fn every_part_is_drawn_without_colours_and_ascii_alone() {
    let qrid = nth(0).parse().expect("a QRID");
    let mut script = Script::new(true).into(object(qrid, None, false, None));
    for _ in 0..5 {
        script.answers(answer);
        script.keys("j→j→");
        for (width, height) in [(80, 24), (160, 50), (40, 8)] {
            let drawn = script.drawn_at(width, height);
            assert!(drawn.is_ascii(), "{drawn}");
        }
        script.keys("\t");
    }
}

#[test]
fn an_object_of_another_vat_says_that_it_is_not_here() {
    let far = format!("qrt:{OTHER}/aa2fziy4eazx2seb54ittqs77cr5lfj3").parse().expect("a QRID");
    let mut script = Script::new(false).into(object(far, None, false, None));
    let query = script.state.queries().into_iter().find(|query| matches!(query, Query::Object(_))).expect("it asks");
    script.event(Event::Refused(query, format!("no such object in {VAT}")));
    script.shows(&["no such object"]);
}

#[test]
fn one_goes_to_a_key_as_to_an_object() {
    let mut script = pane(Some("friends"));
    script.answers(answer);
    script.keys("→");
    script.shows(&["[Memory]", "▾ friends: {"]);
}
