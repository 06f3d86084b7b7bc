use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use qrt_shared::view::{Fault, Log, Outgoing, Peer};

use super::*;
use crate::app::event::{Effect, Event};
use crate::app::query::{Data, Query};
use crate::app::request::Request;
use crate::app::script::{self, OTHER, Script, VAT, json, nth, page};

fn why(query: &Query, sentence: &str) -> Option<Data> {
    let why = json(&format!(
        r#"{{"subject":"x","blocked":true,"sentence":"{sentence}","evidence":["a fact"],"command":"qrt retry"}}"#
    ));
    matches!(query, Query::Why(_)).then_some(Data::Why(why))
}

fn into(thing: &Thing) -> Script {
    Script::new(false).into(of(thing).expect("it has a pane"))
}

#[test]
fn the_screens_are_where_their_numbers_say() {
    assert_eq!(SCREENS[REACH].title, "Reach");
    assert_eq!((SCREENS.len(), SCREENS[8].title), (9, "Inbox"));
}

#[test]
fn a_fault_shows_its_line_and_is_retried_and_left() {
    let object: qrt_shared::id::Qrid = nth(0).parse().expect("a QRID");
    let mut script = into(&Thing::Fault { id: 7, object: Some(object), turn: Some(12) });
    let fault = format!(
        r#"{{"id":7,"message":"in:9","turn":12,"target":"{}","name":"counter","source":"operator","args":{{"n":1}},
        "outcome":"killed","error":{{"message":"over its ticks","object":null,"line":2,"column":1,"excerpt":"for (;;) {{}}\n^"}},
        "ticks":500,"used":{{"cpu_us":9000,"bytes":2048,"messages":3,"objects":1,"jobs":0}},"at":1000000}}"#,
        nth(0)
    );
    script.answers(|query| matches!(query, Query::Faults(_)).then(|| Data::Faults(page(vec![json::<Fault>(&fault)]))));
    script.shows(&[
        "Fault 7",
        "over its ticks",
        "  for (;;) {}\n  ^",
        "killed",
        "500 ticks, 9.0 ms",
        "3 messages and 1 object never were",
    ]);
    assert!(matches!(&script.keys("r")[..], [Effect::Ask(Request::FaultRetry(7))]));
    assert!(matches!(&script.keys("e")[..], [Effect::Ask(Request::ReadCode(..))]));
    script.answers(|query| matches!(query, Query::Faults(_)).then(|| Data::Faults(page(vec![]))));
    script.shows(&["this fault is no more", "over its ticks"]);
}

#[test]
fn a_message_says_what_it_waits_for_and_then_that_it_is_gone() {
    let target: qrt_shared::id::Qrid = nth(0).parse().expect("a QRID");
    let mut script = into(&Thing::Message { message: MessageName::In(9), target });
    let row = format!(
        r#"{{"message":"in:9","target":"{}","name":null,"source":"operator","args":[1],"bytes":3,"queued_at":990000,"deaths":1,"chain":2}}"#,
        nth(0)
    );
    script.answers(|query| match query {
        Query::Inbox(listing) => {
            (listing.at == qrt_shared::control::At::After(8)).then(|| Data::Inbox(page(vec![json(&row)])))
        }
        query => why(query, "the object is held"),
    });
    script.shows(&[
        "Message in:9",
        "the object is held",
        "- a fact",
        "qrt retry",
        "10 s ago",
        "a worker died on it 1 time",
        "1 message of this vat led to it",
    ]);
    let first = row.replace("\"chain\":2", "\"chain\":1");
    script.answers(|query| matches!(query, Query::Inbox(_)).then(|| Data::Inbox(page(vec![json(&first)]))));
    script.shows(&["no message of this vat led to it"]);
    script.answers(|query| matches!(query, Query::Inbox(_)).then(|| Data::Inbox(page(vec![]))));
    script.shows(&["it is queued no more"]);
}

#[test]
fn a_message_to_another_vat_leads_to_that_vat() {
    let peer: qrt_shared::id::VatId = OTHER.parse().expect("a vat");
    let mut script = into(&Thing::Outgoing { peer, name: None, seq: 4 });
    let row = format!(
        r#"{{"peer":"{OTHER}","name":"bob","seq":4,"target":null,"bytes":300,"queued_at":1000,"turn":3,"attempts":5,
        "next_attempt_at":1030000,"last_error":"connection refused","void":null}}"#
    );
    script.answers(|query| match query {
        Query::Outbox(_) => Some(Data::Outbox(page(vec![json::<Outgoing>(&row)]))),
        query => why(query, "bob does not answer"),
    });
    script.shows(&["bob does not answer", "bob  mcp4", "turn 3", "5 failed in a row", "in 30 s", "connection refused"]);
    script.keys("\n");
    assert!(script.state.queries().iter().any(|query| matches!(query, Query::Peer(_))));
}

#[test]
fn a_peer_says_in_words_how_both_channels_stand() {
    let vat: qrt_shared::id::VatId = OTHER.parse().expect("a vat");
    let mut script = into(&Thing::Peer { vat, name: None, held: false });
    let peer: Peer = json(&format!(
        r#"{{"vat":"{OTHER}","name":"bob","urls":["http://a:1","http://b:2"],"next_out":9,"acked_out":5,"last_in":0,
        "pending":3,"pending_bytes":600,"state":"peer-rolled-back","state_since":1000,"theirs":3,"held":true,"named":true,
        "attempts":2,"next_attempt_at":null,"last_error":"refused","failing_since":40000,"last_contact_at":10000,
        "round_trip_us":1500}}"#
    ));
    let answer = |script: &mut Script| {
        script.answers(|query| match query {
            Query::Peer(_) => Some(Data::Peer(Box::new(peer.clone()))),
            query => why(query, "its history is another"),
        });
    };
    answer(&mut script);
    script.shows(&[
        "Peer bob",
        "its history is another",
        "the next message to it is number 9",
        "acknowledged all up to number 5",
    ]);
    script.shows(&[
        "it has 3 from here, 2 fewer than it had acknowledged",
        "3 messages, 600 B",
        "accepted nothing yet",
    ]);
    script.keys("G");
    script.shows(&["http://a:1  (tried first)", "1.5 ms", "2 failed attempts in a row", "an operator holds"]);
    assert!(matches!(&script.keys("h")[..], [Effect::Ask(Request::HoldPeer(_, false))]), "it is held: h releases it");
    script.keys("\n");
    let Some(Query::Outbox(listing)) = script.state.queries().pop() else { panic!("{:?}", script.state.queries()) };
    assert!(listing.peer.is_some());
}

#[test]
fn of_a_peer_that_was_never_reached_nothing_is_claimed() {
    let vat: qrt_shared::id::VatId = OTHER.parse().expect("a vat");
    let mut script = into(&Thing::Peer { vat, name: None, held: false });
    let peer = |heard: &str| {
        let text = format!(
            r#"{{"vat":"{OTHER}","name":null,"urls":[],"next_out":2,"acked_out":0,"last_in":0,"pending":1,
            "pending_bytes":9,"state":"ok","state_since":null,"theirs":null,"held":false,"named":true,"attempts":0,
            "next_attempt_at":null,"last_error":null,"failing_since":null,"last_contact_at":{heard},
            "round_trip_us":null}}"#
        );
        json::<Peer>(&text)
    };
    let mut answer = |peer: Peer| {
        script.answers(|query| matches!(query, Query::Peer(_)).then(|| Data::Peer(Box::new(peer.clone()))));
        script.drawn()
    };
    let never = answer(peer("null"));
    assert!(never.contains("not yet known") && !never.contains("same history"), "{never}");
    let heard = answer(peer("1000"));
    assert!(heard.contains("both ends know the same history"), "{heard}");
}

fn log(texts: &[&str]) -> Data {
    let lines: Vec<_> = texts
        .iter()
        .map(|text| format!(r#"{{"at":1000000,"turn":null,"object":null,"name":null,"level":"WARN","text":"{text}"}}"#))
        .collect();
    Data::Log(json::<Log>(&format!(r#"{{"lines":[{}],"offset":0,"turn":0}}"#, lines.join(","))))
}

#[test]
fn the_log_is_followed_until_one_moves() {
    let mut script = Script::new(false);
    script.keys("8");
    script.shows(&["[Log]", "Audit", "following"]);
    script.answers(|query| matches!(query, Query::Log(_)).then(|| log(&["first", "second"])));
    script.shows(&["WARN  first", "second"]);
    script.keys("k");
    script.shows(&["paused"]);
    assert!(!script.state.queries().iter().any(|query| matches!(query, Query::Log(_))), "what is paused is not read");
    script.keys("G");
    assert!(script.state.queries().iter().any(|query| matches!(query, Query::Log(_))));
    script.keys("\t");
    script.answers(|query| {
        let row = format!(
            r#"{{"audit":3,"at":1000000,"uid":1000,"pid":77,"action":"hold","detail":{{"object":"{}"}}}}"#,
            nth(0)
        );
        matches!(query, Query::Audit(_)).then(|| Data::Audit(page(vec![json(&row)])))
    });
    script.shows(&["[Audit]", "hold", "uid 1000, pid 77"]);
}

#[test]
fn a_paused_list_is_filtered_all_the_same() {
    let mut script = Script::new(false);
    let turns = |script: &Script| script.state.queries().iter().any(|query| matches!(query, Query::Turns(_)));
    script.keys("3");
    script.answers(|query| {
        matches!(query, Query::Turns(_)).then(|| Data::Turns(page(vec![*script::turn(7), *script::turn(8)])))
    });
    script.keys("k");
    script.shows(&["paused"]);
    assert!(!turns(&script), "what is paused at the end stays");
    script.keys("/x\n");
    assert!(turns(&script), "other rows are wanted");
    script.answers(|query| matches!(query, Query::Turns(_)).then(|| Data::Turns(page(vec![*script::turn(9)]))));
    script.shows(&["   9  ok", "paused"]);
    assert!(!turns(&script));
}

#[test]
fn a_held_object_shows_as_held_however_long_its_name_is() {
    let mut script = Script::new(true);
    script.keys("2");
    let mut held = script::object("warehouse-of-the-eastern-provinces-and-islands-overseas");
    held.held = true;
    script.objects(&[held]);
    script.shows(&["(held) warehouse"]);
}

fn bottom(script: &Script) -> String {
    script.drawn_at(120, 24).lines().last().expect("a line").to_owned()
}

#[test]
fn the_bottom_line_names_no_key_that_does_nothing() {
    let mut script = Script::new(true);
    script.keys("2");
    script.objects(&[]);
    assert!(!bottom(&script).contains("Enter"), "{}", bottom(&script));
    script.keys("\n");
    script.shows(&["there is nothing here to go into"]);
    script.keys("7");
    assert!(!bottom(&script).contains("open") && !bottom(&script).contains("send"), "{}", bottom(&script));
    let mut script = into(&Thing::Object { qrid: script::qrid(), name: None, held: false });
    assert!(!bottom(&script).contains("Enter into"), "code is the end: {}", bottom(&script));
    script.keys("\t");
    assert!(!bottom(&script).contains("edit"), "no key is here: {}", bottom(&script));
    let mut script = into(&Thing::Fault { id: 3, object: Some(script::qrid()), turn: Some(1) });
    assert!(bottom(&script).contains("r retry"), "{}", bottom(&script));
    script.answers(|query| matches!(query, Query::Faults(_)).then(|| Data::Faults(page(vec![]))));
    let line = bottom(&script);
    assert!(!["retry", "drop", "edit"].iter().any(|word| line.contains(word)) && line.contains("t trace"), "{line}");
}

#[test]
fn what_goes_through_outcomes_says_so_and_how_one_comes_back() {
    let mut script = Script::new(true);
    script.keys("3");
    assert!(bottom(&script).contains("Space pause") && bottom(&script).contains("o outcome"), "{}", bottom(&script));
    script.keys(" ");
    assert!(bottom(&script).contains("Space follow"), "{}", bottom(&script));
    let none = |script: &mut Script| {
        script.answers(|query| matches!(query, Query::Turns(_)).then(|| Data::Turns(page(vec![]))));
    };
    script.keys("o");
    none(&mut script);
    script.shows(&["no turn here ended in error: o goes on"]);
    script.keys("/x\n");
    none(&mut script);
    script.shows(&["no turn with this text ended in error", "o the outcome"]);
    script.keys("?");
    script.shows(&["show turns that failed, then those", "follow what happens"]);
}

/// An object of which only the references are of interest.
fn knot(own: u8, holds: &[(String, &str)], held_by: &[(String, &str)]) -> Data {
    let holdings = |list: &[(String, &str)]| {
        let one = |(object, key): &(String, &str)| {
            format!(r#"{{"object":"{object}","name":null,"place":"power","key":"{key}"}}"#)
        };
        list.iter().map(one).collect::<Vec<_>>().join(",")
    };
    let own = nth(own);
    Data::Object(Box::new(json(&format!(
        r#"{{"qrid":"{own}","name":null,"turns":0,"faults":0,"memory_bytes":0,"cpu_us":0,"created_at":0,"account":"{own}",
        "held":false,"code":{{"sha256":"","text":"","version":1,"history":[]}},"power":{{"statics":{{}},"natives":{{}}}},
        "memory":null,"maker":null,"deaths":0,"killed":[],"holds":[{}],"held_by":[{}]}}"#,
        holdings(holds),
        holdings(held_by)
    ))))
}

#[test]
fn reach_goes_both_ways_level_by_level_and_never_in_circles() {
    let far = format!("qrt:{OTHER}/aa2fziy4eazx2seb54ittqs77cr5lfj3");
    let mut script =
        Script::new(false).into(of(&Thing::Turn { turn: 1, object: nth(0).parse().expect("a QRID") }).expect("a pane"));
    script.keys("a");
    let answer = |query: &Query| match query {
        Query::Object(object) if object.to_string() == nth(0) => {
            Some(knot(0, &[(nth(1), "bank"), (far.clone(), "abroad")], &[(nth(2), "client")]))
        }
        Query::Object(object) if object.to_string() == nth(1) => Some(knot(1, &[(nth(0), "back")], &[])),
        _ => None,
    };
    script.answers(answer);
    script.shows(&[
        "Reach of",
        "can be reached by: 1",
        "in its power.client",
        "other vats may hold more: nobody can know",
    ]);
    script.shows(&["can reach: 2", "▸ bb2fzi..  as power.bank", "in vat mcp4zc..: not known here"]);
    assert_eq!(script.state.queries().len(), 2, "only what is open is asked: {:?}", script.state.queries());
    script.keys("jjjj→");
    script.shows(&["▾ bb2fzi..  as power.bank", "reading ..."]);
    script.answers(answer);
    script.shows(&["as power.back  (again: it is on the way here)"]);
    assert_eq!(script.state.queries().len(), 2, "what was read is not read again");
    script.keys("\n");
    script.shows(&["> bb2fzi..", "[Code]"]);
}

#[test]
fn empty_screens_say_what_would_fill_them() {
    let mut script = Script::new(false);
    script.keys("7");
    script.shows(&["press a on any object"]);
    script.keys("8");
    script.answers(|query| matches!(query, Query::Log(_)).then(|| log(&[])));
    script.shows(&["the log is empty"]);
}

/// An overview of a vat of which this is wrong.
fn overview(wrong: &[&str]) -> String {
    let why = |sentence: &&str| {
        format!(r#"{{"subject":"bank","blocked":true,"sentence":"{sentence}","evidence":[],"command":"qrt help"}}"#)
    };
    let wrong: Vec<_> = wrong.iter().map(why).collect();
    format!(
        r#"{{"info":{{"vat":"{VAT}","url":null,"pid":1,"state":"running","version":"1","objects":1,"inbox":0,"outbox":0,
        "faults":0,"turns":9,"commit":1,"started_at":1,"worker":null}},"totals":{{"turns":9,"failed":0,"ticks":1,
        "cpu_us":910,"commits":1,"received":0,"sent":0,"acknowledged":0,"attempts":0,"attempts_failed":0}},
        "oldest_inbox_at":null,"oldest_outbox_at":null,"accounts":[{{"account":"{}","name":"bank","above":null,
        "budget":{{}},"objects":1,"memory_bytes":1,"queued_bytes":0,"cpu_us":7,"cpu_left_us":null}}],"wrong":[{}],
        "database_bytes":1,"wal_bytes":1,"at":1}}"#,
        nth(1),
        wrong.join(",")
    )
}

#[test]
fn an_overview_marks_that_more_is_wrong_than_there_is_room_for() {
    let mut script = Script::new(true);
    let wrong = ["first", "second", "third", "fourth", "fifth", "last"];
    script.loaded(Query::Overview, Data::Overview(Box::new(json(&overview(&wrong)))));
    let drawn = script.drawn_at(80, 24);
    assert!(drawn.contains("! first") && !drawn.contains("! last"), "{drawn}");
    let mark = |drawn: &str, mark| drawn.lines().filter(|line| line.ends_with(mark)).count();
    assert_eq!((mark(&drawn, " v"), mark(&drawn, " ^")), (1, 0), "{drawn}");
    script.keys("jjjjjjjjjjjjjjjj");
    let drawn = script.drawn_at(80, 24);
    assert!(drawn.contains("! last"), "{drawn}");
    assert_eq!((mark(&drawn, " v"), mark(&drawn, " ^")), (0, 1), "{drawn}");
    script.keys("k");
    assert_ne!(script.drawn_at(80, 24), drawn, "who went beyond the end comes back with one key");
}

#[test]
fn the_overview_says_what_accounts_pay_for_on_every_screen_that_has_room() {
    let mut script = Script::new(true);
    script.loaded(Query::Overview, Data::Overview(Box::new(json(&overview(&[])))));
    script.shows(&["ACCOUNTS, PAID FOR WHAT THEY SENT  ", "bank     7 us  no limit        1", "cage no worker now"]);
    let small = script.drawn_at(40, 8);
    assert!(small.ends_with(": find  ? help  q quit") && !small.contains("ACCOUNT"), "{small}");
}

#[test]
fn accounts_are_below_the_overview() {
    let mut script = Script::new(false);
    script.keys("\n");
    let row = format!(
        r#"{{"account":"{}","name":"bank","above":null,"budget":{{"cpu":5,"refill":1}},"objects":2,"memory_bytes":1024,"queued_bytes":0,"cpu_us":9,"cpu_left_us":0}}"#,
        nth(1)
    );
    script.answers(|query| matches!(query, Query::Accounts(_)).then(|| Data::Accounts(page(vec![json(&row)]))));
    script.shows(&["Overview > Accounts", "bank", "owes 0 us", "cpu=5"]);
    script.keys("\n");
    script.shows(&["Accounts > bank"]);
}

#[test]
fn ascii_terminals_see_ascii() {
    let object: qrt_shared::id::Qrid = nth(0).parse().expect("a QRID");
    for thing in [
        Thing::Turn { turn: 1, object: object.clone() },
        Thing::Fault { id: 1, object: Some(object.clone()), turn: None },
        Thing::Message { message: MessageName::In(1), target: object.clone() },
        Thing::Peer { vat: VAT.parse().expect("a vat"), name: None, held: false },
    ] {
        let mut script = Script::new(true).into(of(&thing).expect("a pane"));
        for query in script.state.queries() {
            script.event(Event::Refused(query, "nobody knows".to_owned()));
        }
        script.shows(&["nobody knows"]);
        assert!(script.drawn().is_ascii(), "{}", script.drawn());
        script.keys("a");
        script.answers(|query| matches!(query, Query::Object(_)).then(|| knot(0, &[(nth(1), "x")], &[])));
        assert!(script.drawn().is_ascii(), "{}", script.drawn());
    }
}

#[test]
fn a_click_shows_a_part_or_selects_a_line() {
    let mut script = Script::new(false);
    let click = |script: &mut Script, column, row| {
        // Where things are is known once they are drawn.
        script.drawn();
        let kind = MouseEventKind::Down(MouseButton::Left);
        script.event(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    script.keys("8");
    script.answers(|query| matches!(query, Query::Log(_)).then(|| log(&["first", "second"])));
    click(&mut script, 3, 3);
    script.shows(&["paused"]);
    click(&mut script, 6, 2);
    script.shows(&[" Log [Audit]"]);
    click(&mut script, 4, 2);
    script.shows(&["[Log] Audit"]);
}
