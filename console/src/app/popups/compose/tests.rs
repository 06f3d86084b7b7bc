use super::*;
use crate::app::event::{Effect, Event};
use crate::app::script::{Script, VAT, object, qrid, turn};
use qrt_shared::view::{Ended, Outcome};

/// A message to `counter` whose arguments are `{"n": 1}`, about to be sent.
fn composed(plain: bool) -> Script {
    let mut script = Script::new(plain);
    script.typed("s");
    script.typed("cou");
    script.objects(&[object("counter")]);
    script.key(KeyCode::Tab);
    script.typed("{\"n\": 1}");
    script
}

#[test]
fn a_target_is_completed_and_arguments_are_checked_as_one_types() {
    let mut script = Script::new(true);
    script.typed("scou");
    let wanted = script.state.queries();
    assert!(wanted.iter().any(|query| matches!(query, Query::Objects(listing) if listing.filter == "cou")));
    script.objects(&[object("counter")]);
    assert!(script.drawn().contains("counter                  7z2fzi.."), "{}", script.drawn());
    script.key(KeyCode::Tab);
    script.typed("{\"n\": 1");
    assert!(script.drawn().contains("wrong: args"), "{}", script.drawn());
    assert!(script.drawn().contains("column 8)"), "{}", script.drawn());
    assert!(Script::asked(&script.ctrl('s')).is_empty(), "what is wrong is not sent");
    assert!(script.drawn().contains("not sent: args"), "{}", script.drawn());
    script.typed("}");
    assert!(script.drawn().contains("ok: JSON, 8 B"), "{}", script.drawn());
    assert!(script.drawn().contains(r#"qrt send -d /v --wait counter '{"n": 1}'"#), "{}", script.drawn());
}

#[test]
fn a_draft_is_gone_on_with_or_emptied() {
    let mut script = composed(true);
    script.key(KeyCode::Esc);
    script.typed("2");
    script.objects(&[object("counter")]);
    script.typed("s");
    script.shows(&["{\"n\": 1}", "Esc leave", "Ctrl-U empty it"]);
    script.typed(" x");
    script.shows(&["{\"n\": 1} x"]);
    script.ctrl('u');
    assert!(!script.drawn().contains("{\"n\": 1} x"), "{}", script.drawn());
    script.ctrl('r');
    script.shows(&["{\"n\": 1} x"]);
    script.ctrl('u');
    script.typed("7");
    assert!(matches!(&Script::asked(&script.ctrl('s'))[..], [Request::Send { args, .. }] if args == "7"));
}

#[test]
fn what_becomes_of_a_message_shows_while_it_happens() {
    let mut script = composed(false);
    let asked = Script::asked(&script.press(KeyCode::Enter, KeyModifiers::ALT));
    let args = r#"{"n": 1}"#.to_owned();
    assert_eq!(asked, [Request::Send { target: "counter".parse().expect("a petname"), args }]);
    assert!(script.drawn().contains("asking the vat"));
    assert!(Script::asked(&script.key(KeyCode::F(5))).is_empty(), "one at a time");

    let message = MessageName::In(7);
    script.answered(&asked[0], Ok(Reply::Queued(message, qrid())));
    assert!(script.drawn().contains("queued as in:7") && script.drawn().contains("not handled yet"));
    assert!(script.state.queries().contains(&Query::Why(Some(Subject::In(7)))));

    let result = serde_json::value::RawValue::from_string("{\"n\":4}".into()).expect("JSON");
    let ended = Ended { turn: Some(9), outcome: Outcome::Ok, result, result_error: None, error: None };
    script.answered(&asked[0], Ok(Reply::Ended(message, Awaited::Ended(ended))));
    assert!(script.drawn().contains("ok in turn 9, result {\"n\":4}"), "{}", script.drawn());
    assert!(script.state.queries().contains(&Query::Turn(9)));
    script.loaded(Query::Turn(9), Data::Turn(turn(9)));
    let drawn = script.drawn_at(160, 50);
    for says in ["turn 9 ended: ok  1 tick, 900 us", "memory n changed", "- 3", "+ 4", "sent in:8", "log  hi"] {
        assert!(drawn.contains(says), "{says}: {drawn}");
    }
}

#[test]
fn a_message_to_another_vat_ends_when_it_is_acknowledged_there() {
    let mut script = composed(true);
    let asked = Script::asked(&script.ctrl('s'));
    let message = MessageName::Out(VAT.parse().expect("a vat id"), 4);
    script.answered(&asked[0], Ok(Reply::Queued(message, qrid())));
    script.answered(&asked[0], Ok(Reply::Ended(message, Awaited::Acked)));
    assert!(script.drawn().contains("rnll4p..#4: the other vat has it"), "{}", script.drawn());
}

#[test]
fn a_refusal_leaves_what_was_typed() {
    let mut script = composed(true);
    let asked = Script::asked(&script.ctrl('s'));
    script.answered(&asked[0], Err("no object is called counter".into()));
    let drawn = script.drawn();
    assert!(drawn.contains("{\"n\": 1}") && drawn.contains("no object is called counter"), "{drawn}");
    assert_eq!(Script::asked(&script.ctrl('s')), asked, "and can be sent again");
}

#[test]
fn what_was_left_and_what_was_sent_are_there_again() {
    let mut script = composed(true);
    script.ctrl('s');
    script.key(KeyCode::Enter);
    script.typed("[2");
    assert!(script.key(KeyCode::Esc).is_empty());
    script.typed("s");
    let drawn = script.drawn();
    assert!(drawn.contains("counter") && drawn.contains("[2"), "{drawn}");
    script.ctrl('p');
    let drawn = script.drawn();
    assert!(drawn.contains("ok: JSON, 8 B") && drawn.contains("sent earlier, 1 of 1"), "{drawn}");
    script.ctrl('n');
    assert!(script.drawn().contains("[2"), "{}", script.drawn());
}

#[test]
fn what_is_pasted_has_its_lines() {
    let mut script = Script::new(true);
    script.typed("sx");
    script.key(KeyCode::Enter);
    script.event(Event::Paste("[1,\r2,\r\n3]".into()));
    let effects = script.ctrl('s');
    let [Effect::Ask(Request::Send { args, .. })] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(args, "[1,\n2,\n3]");
}
