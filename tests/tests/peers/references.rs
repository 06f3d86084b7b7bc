//! References travel, and stay what they are.

use serde_json::json;

use super::{SINK, deliver, friends, id, reference, send, until_got};
use qrt_shared::control::Listing;
use qrt_shared::view::Peer;
use qrt_tests::Scratch;

/// Passes what it is given on, in a message to the next.
const PASS: &str = "function ({ hops, what }) { const [next, ...rest] = hops; next.sendOnly({ hops: rest, what }); }";

/// Says whether what came is its own object, and calls it if it can.
const HOME: &str = "function ({ what }, { own, memory }) {
    let called;
    try { called = what.call('hello'); } catch (error) { called = String(error); }
    memory.got = [[what === own, called]];
}";

#[test]
fn a_reference_sent_round_a_ring_of_three_comes_home_as_the_same_object() {
    let [a, b, c] = friends();
    let own = a.install("own", "(args) => args + ' from home'", &[]);
    let home = a.install("home", HOME, &["--power", &json!({ "own": reference(&own) }).to_string()]);
    let passes = [&a, &b, &c].map(|vat| vat.install("pass", PASS, &[]));
    let hops: Vec<_> = passes[1..].iter().chain([&home]).map(|hop| reference(hop)).collect();
    a.result("pass", &json!({ "hops": hops, "what": reference(&own) }).to_string());
    assert_eq!(until_got(&a, "home", 1), [json!([true, "hello from home"])]);
}

#[test]
fn a_reference_to_a_third_vat_can_be_sent_to_and_not_called() {
    let [a, b, c] = friends();
    let far = c.install("far", SINK, &[]);
    let home = b.install("home", HOME, &["--power", &json!({ "own": reference(&far) }).to_string()]);
    let user = b.install("user", "function ({ what }) { what.sendOnly('by way of b'); }", &[]);
    deliver(&a, &home, &json!({ "what": reference(&far) }));
    let got = until_got(&b, "home", 1);
    assert_eq!(got[0][0], true, "the same object from two sides is one reference");
    assert!(got[0][1].as_str().expect("an error").starts_with("TypeError"), "{got:?}");
    deliver(&a, &user, &json!({ "what": reference(&far) }));
    assert_eq!(until_got(&c, "far", 1), [json!("by way of b")]);
}

#[test]
fn a_reference_is_known_by_its_own_vat_alone_and_shown_with_that_vats_id() {
    let [a, b] = friends();
    let (here, sink) = (a.install("here", SINK, &[]), b.install("sink", SINK, &[]));
    deliver(&a, &sink, &json!([reference(&here), reference(&sink), reference(&here)]));
    assert_eq!(until_got(&b, "sink", 1), [json!([reference(&here), reference(&sink), reference(&here)])]);
}

#[test]
fn a_message_to_ones_own_vat_never_touches_the_wire() {
    let a = Scratch::default().vat();
    let sink = a.install("sink", SINK, &[]);
    a.install("sender", "function ({ to }) { to.sendOnly('here'); }", &[]);
    a.result("sender", &json!({ "to": reference(&sink) }).to_string());
    send(&a, &sink, &json!("from the operator"));
    assert_eq!(until_got(&a, "sink", 2), [json!("here"), json!("from the operator")]);
    assert!(a.list::<Peer>(&Listing::default()).is_empty(), "{} is no peer of itself", id(&a));
}
