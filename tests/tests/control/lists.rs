//! Lists: every one both ways, filtered, sorted, and no parameter that means nothing.

use std::collections::BTreeSet;

use qrt_shared::control::{At, Listed, Listing};
use qrt_shared::id::Petname;
use qrt_shared::view::{AccountRow, Audited, Fault, Message, ObjectRow, Outcome, Outgoing, Page, Peer, Turn};
use qrt_tests::{Scratch, Vat};
use qrtd::key::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::request;

fn page<T: Listed + DeserializeOwned>(vat: &Vat, listing: &Listing) -> Page<T> {
    vat.ask(async |client| client.list(listing).await)
}

/// All rows of a list, two at a time: forwards and backwards they are the same, in the list's own order.
#[track_caller]
fn both_ways<T: Listed + DeserializeOwned + Serialize>(vat: &Vat, of: &Listing) -> Vec<Value> {
    let values = |page: &Page<T>| page.items.iter().map(|row| json!(row)).collect::<Vec<_>>();
    let two = |at| Listing { at, limit: Some(2), ..of.clone() };
    let whole = values(&page::<T>(vat, of));
    let (mut on, mut at) = (Vec::new(), At::First);
    loop {
        let page = page::<T>(vat, &two(at));
        assert!(page.items.len() <= 2 && !page.partial, "{}", T::PATH);
        assert_eq!(page.prev.is_none(), at == At::First, "{}: only the first page has none before", T::PATH);
        on.extend(values(&page));
        match page.next {
            Some(next) => at = At::After(next),
            None => break,
        }
    }
    assert_eq!(on, whole, "{} forwards", T::PATH);
    let (mut back, mut at) = (Vec::new(), At::Last);
    loop {
        let page = page::<T>(vat, &two(at));
        assert_eq!(page.next.is_none(), at == At::Last, "{}: only the last page has none behind", T::PATH);
        back.splice(0..0, values(&page));
        match page.prev {
            Some(prev) => at = At::Before(prev),
            None => break,
        }
    }
    assert_eq!(back, whole, "{} backwards", T::PATH);
    whole
}

/// A vat with at least five rows in every list.
fn busy_vat() -> Vat {
    let vat = Scratch::default().vat();
    // With figures that are in no id: a filter looks at those too.
    for name in ["ann8", "bob9", "cid0", "dan8", "eve1"] {
        vat.install(name, "function (args, power) { power.memory.n = args; if (args < 0) throw 'less'; }", &[]);
        vat.send(name, "1");
        vat.send(name, "-1");
        vat.qrt("hold", &[name]).ok();
        let dir = vat.dir().to_str().expect("UTF-8");
        vat.scratch.qrt(&["send", "-d", dir, name, "2"]).ok();
    }
    for _ in 0..5 {
        let peer = &Key::generate().vat().to_string();
        vat.qrt("peer-add", &[peer, "http://127.0.0.1:9"]).ok();
        vat.qrt("hold", &[peer]).ok();
        let dir = vat.dir().to_str().expect("UTF-8");
        let object = format!("qrt:{peer}/7z2fziy4eazx2seb54ittqs77cr5lfj3");
        vat.scratch.qrt(&["send", "-d", dir, &object, "null"]).ok();
    }
    vat
}

#[test]
fn every_list_goes_both_ways() {
    let vat = busy_vat();
    let all = Listing::default();
    assert_eq!(both_ways::<ObjectRow>(&vat, &all).len(), 5);
    assert_eq!(both_ways::<AccountRow>(&vat, &all).len(), 5);
    assert_eq!(both_ways::<Message>(&vat, &all).len(), 5);
    assert_eq!(both_ways::<Turn>(&vat, &all).len(), 10);
    assert_eq!(both_ways::<Fault>(&vat, &all).len(), 5);
    assert_eq!(both_ways::<Peer>(&vat, &all).len(), 5);
    let letters = both_ways::<Outgoing>(&vat, &all);
    assert_eq!(letters.len(), 5);
    assert!(both_ways::<Audited>(&vat, &all).len() >= 20);
    let peer = letters[3]["peer"].as_str().expect("a vat id").parse().expect("a vat id");
    assert_eq!(both_ways::<Outgoing>(&vat, &Listing { peer: Some(peer), ..Listing::default() }), [letters[3].clone()]);
    let object = Some("bob9".parse().expect("a name"));
    assert_eq!(both_ways::<Turn>(&vat, &Listing { object: object.clone(), ..Listing::default() }).len(), 2);
    assert_eq!(both_ways::<Message>(&vat, &Listing { object: object.clone(), ..Listing::default() }).len(), 1);
    assert_eq!(both_ways::<Fault>(&vat, &Listing { object, ..Listing::default() }).len(), 1);
}

#[test]
fn a_list_is_filtered_where_the_rows_are() {
    let vat = busy_vat();
    let of = |filter: &str| Listing { filter: filter.into(), ..Listing::default() };
    let names = |rows: Vec<Value>| rows.iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(both_ways::<ObjectRow>(&vat, &of("8"))), ["ann8", "dan8"]);
    assert_eq!(names(both_ways::<AccountRow>(&vat, &of("1"))), ["eve1"]);
    assert_eq!(names(both_ways::<Message>(&vat, &of("0"))), ["cid0"]);
    assert_eq!(names(both_ways::<Turn>(&vat, &of("less"))), ["ann8", "bob9", "cid0", "dan8", "eve1"]);
    assert_eq!(names(both_ways::<Fault>(&vat, &of("bob9"))), ["bob9"]);
    assert_eq!(both_ways::<Audited>(&vat, &of("peer-add")).len(), 5);
    let letter = page::<Outgoing>(&vat, &Listing::last(1)).items.remove(0);
    let vat_id = letter.peer.to_string();
    assert_eq!(both_ways::<Outgoing>(&vat, &of(&vat_id)).len(), 1);
    assert_eq!(both_ways::<Peer>(&vat, &of(&vat_id[..20])).len(), 1);
    assert_eq!(both_ways::<Peer>(&vat, &of("127.0.0.1:9")).len(), 5);
    for outcome in [Outcome::Ok, Outcome::Error] {
        let listing = Listing { outcome: Some(outcome), ..Listing::default() };
        let turns = both_ways::<Turn>(&vat, &listing);
        assert_eq!(turns.len(), 5);
        assert!(turns.iter().all(|turn| turn["outcome"] == outcome.as_str()));
    }
}

#[test]
fn a_source_is_told_with_the_name_an_operator_gave_it() {
    let vat = Scratch::default().vat();
    let counter = vat.install("counter", "function (n) { if (n < 0) throw n; }", &[]);
    let power = json!({ "to": { "@qref": counter } }).to_string();
    vat.install("clerk", "function (n, power) { power.to.sendOnly(n); }", &["--power", &power]);
    vat.send("clerk", "-1");
    vat.wait_for_turn(2);
    let filtered = Listing { filter: "clerk".into(), ..Listing::default() };
    let turns = page::<Turn>(&vat, &filtered).items;
    let told: Vec<_> = turns.iter().map(|turn| turn.source_name.as_ref().map(Petname::as_str)).collect();
    assert_eq!(told, [None, Some("clerk")], "the first is the operator's");
    let fault = page::<Fault>(&vat, &filtered).items.remove(0);
    assert_eq!(fault.source_name.as_ref().map(Petname::as_str), Some("clerk"));
    vat.qrt("name", &["clerk", "--remove"]).ok();
    assert_eq!(page::<Turn>(&vat, &Listing::default()).items[1].source_name, None);
}

#[test]
fn an_account_is_named_to_see_its_turns_and_its_objects() {
    let vat = Scratch::default().vat();
    let code = "function (args, power) { power.make_object('() => 1').sendOnly(null); }";
    let ann = vat.install("ann", code, &[]);
    vat.install("bob", "() => 1", &[]);
    vat.send("ann", "null");
    vat.send("bob", "null");
    vat.wait_for_turn(3);
    let of = |name: &str| Listing { account: Some(name.parse().expect("a name")), ..Listing::default() };
    let objects = page::<ObjectRow>(&vat, &of("ann")).items;
    assert_eq!(objects.iter().map(|row| row.account.to_string()).collect::<Vec<_>>(), [ann.clone(), ann.clone()]);
    let turns = page::<Turn>(&vat, &of("ann")).items;
    assert_eq!(turns.iter().map(|turn| turn.source.clone()).collect::<Vec<_>>(), [ann]);
}

#[test]
fn objects_and_accounts_are_sorted_by_what_changes_each_turn() {
    let vat = Scratch::default().vat();
    // By the name, how many turns, faults, bytes of memory, and messages in the queue.
    for (name, turns, faults, bytes, queue) in [("ann8", 3, 0, 10, 2), ("bob0", 1, 2, 300, 0), ("cid0", 2, 1, 20, 1)] {
        let code = "function (n, power) { if (n < 0) throw 1; power.memory.text = 'x'.repeat(n); }";
        vat.install(name, code, &[]);
        (0..turns).for_each(|_| drop(vat.send(name, &bytes.to_string())));
        (0..faults).for_each(|_| drop(vat.send(name, "-1")));
        vat.qrt("hold", &[name]).ok();
        let dir = vat.dir().to_str().expect("UTF-8");
        (0..queue).for_each(|_| drop(vat.scratch.qrt(&["send", "-d", dir, name, "1"]).ok()));
    }
    let nameless = vat.scratch.file("nameless.js", "() => 1");
    vat.qrt("install", &[nameless.to_str().expect("UTF-8")]).ok();
    let sorted = |order: &str| {
        let listing = Listing { sort: Some(order.into()), ..Listing::default() };
        let page = page::<ObjectRow>(&vat, &listing);
        assert!(!page.partial && page.next.is_none() && page.prev.is_none());
        page.items.iter().map(|row| row.name.as_ref().map_or("-", |name| name.as_str()).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sorted("name"), ["ann8", "bob0", "cid0", "-"]);
    assert_eq!(sorted("-name"), ["cid0", "bob0", "ann8", "-"]);
    assert_eq!(sorted("turns"), ["ann8", "bob0", "cid0", "-"], "three each: the older first");
    assert_eq!(sorted("faults"), ["bob0", "cid0", "ann8", "-"]);
    assert_eq!(sorted("-faults"), ["ann8", "-", "cid0", "bob0"]);
    assert_eq!(sorted("memory"), ["bob0", "cid0", "ann8", "-"]);
    assert_eq!(sorted("-memory"), ["-", "ann8", "cid0", "bob0"]);
    assert_eq!(sorted("queue"), ["ann8", "cid0", "bob0", "-"]);
    let listing = Listing { sort: Some("memory".into()), limit: Some(1), filter: "0".into(), ..Listing::default() };
    assert_eq!(page::<ObjectRow>(&vat, &listing).items[0].name.as_ref().map(Petname::as_str), Some("bob0"));
    let cpu: Vec<_> = page::<ObjectRow>(&vat, &Listing { sort: Some("cpu".into()), ..Listing::default() }).items;
    assert!(cpu.is_sorted_by_key(|row| std::cmp::Reverse(row.cpu_us)));
    let accounts = page::<AccountRow>(&vat, &Listing { sort: Some("-memory".into()), ..Listing::default() }).items;
    assert!(accounts.is_sorted_by_key(|row| row.used.memory_bytes));
    let queued = page::<ObjectRow>(&vat, &Listing::default()).items;
    assert_eq!(queued.iter().map(|row| row.queued).collect::<Vec<_>>(), [2, 0, 1, 0]);
}

#[test]
fn a_filter_that_fits_nothing_says_where_to_go_on() {
    let vat = Scratch::default().vat();
    let code = "function (n, power) { for (let made = 0; made < n; made++) power.make_object('() => 1', null); }";
    vat.install("maker", code, &[]);
    for _ in 0..21 {
        vat.send("maker", "1000");
    }
    let none = |at| page::<ObjectRow>(&vat, &Listing { at, filter: "no-id-has-a-dash".into(), ..Listing::default() });
    let first = none(At::First);
    assert!(first.partial && first.items.is_empty());
    let second = none(At::After(first.next.expect("it goes on")));
    assert_eq!((second.partial, second.next), (false, None));
    let last = none(At::Last);
    assert!(last.partial && last.next.is_none());
    let before = none(At::Before(last.prev.expect("it goes on")));
    assert_eq!((before.partial, before.prev), (false, None));
}

#[test]
fn a_parameter_that_means_nothing_is_refused() {
    let vat = Scratch::default().vat();
    for (path, hint) in [
        ("objects?afer=1", "after"),
        ("objects?outcome=ok", "sort"),
        ("turns?newest=3", "before"),
        ("inbox?sort=name", "filter"),
        ("info?full=true", "takes none"),
        ("objects?after=1&before=2", "leave"),
        ("objects?sort=size", "memory"),
        ("accounts?sort=turns", "objects"),
        ("objects?sort=cpu&after=3", "head"),
        ("turns?outcome=good", "killed"),
        ("objects?limit=many", "limit"),
    ] {
        let (status, answer) = request(&vat, "GET", &format!("/v1/{path}"), "");
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(answer["hint"].as_str().is_some_and(|text| text.contains(hint)), "{path}: {answer}");
    }
    let known: BTreeSet<u16> =
        ["objects?limit=9999", "audit?limit=0"].map(|path| request(&vat, "GET", &format!("/v1/{path}"), "").0).into();
    assert_eq!(known, [200].into(), "a limit is what the asker wants, not what the daemon must give");
}
