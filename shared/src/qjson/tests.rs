use super::*;
use proptest::prelude::*;

const QRID: &str = "qrt:rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q/7z2fziy4eazx2seb54ittqs77cr5lfj3";

fn canonical(text: &str) -> String {
    parse(text, "args").expect("valid").text
}

fn refusal(text: &str) -> String {
    parse(text, "args").expect_err("must be refused").to_string()
}

#[test]
fn any_spelling_becomes_the_one_json_stringify_writes() {
    for (loose, exact) in [
        (" { \"a\" : [ 1 , 2 ] }\n", r#"{"a":[1,2]}"#),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E21", "1e+21"),
        ("0.0000001", "1e-7"),
        ("123456789012345680000", "123456789012345680000"),
        ("9007199254740992", "9007199254740992"),
        ("9007199254740993.0", "9007199254740992"),
        (r#""\u0041\/\u00e9""#, "\"A/\u{e9}\""),
        (r#""\u0000\u001F\b\t\n\f\r""#, r#""\u0000\u001f\b\t\n\f\r""#),
        (r#""\ud83d\ude00""#, "\"\u{1f600}\""),
        (r#"{"__proto__":null}"#, r#"{"__proto__":null}"#),
    ] {
        assert_eq!(canonical(loose), exact, "{loose}");
        assert!(check(exact, "args", |_| false).is_ok(), "{exact}");
    }
}

#[test]
fn a_reference_is_counted_once_and_costs_128_bytes() {
    let text = format!(r#"[{{"@qref":"{QRID}"}},{{ "@qref" : "{QRID}?at=http://a:1" }}]"#);
    let document = parse(&text, "args").expect("valid");
    assert_eq!(document.text, r#"[{"@qref":0},{"@qref":0}]"#);
    assert_eq!(document.references.len(), 1);
    assert_eq!(document.size_bytes, 2 * REFERENCE_BYTES + "[,]".len());
    let inside = renumber(&document.text, |n| n + 40).expect("inside");
    assert_eq!(inside, r#"[{"@qref":40},{"@qref":40}]"#);
    assert_eq!(references(&inside).expect("inside"), [40]);
    let qrid: Qrid = QRID.parse().expect("a QRID");
    let out = export(&inside, |n| (n == 40).then(|| qrid.clone())).expect("known");
    assert_eq!(out, format!(r#"[{{"@qref":"{QRID}"}},{{"@qref":"{QRID}"}}]"#));
}

#[test]
fn data_cannot_look_like_a_reference() {
    assert_eq!(canonical(r#"{"@@qref":1}"#), r#"{"@@qref":1}"#);
    assert_eq!(references(r#"{"@@qref":1}"#).expect("inside"), Vec::<u64>::new());
    assert_eq!(references(r#"["\"@qref\":1"]"#).expect("inside"), Vec::<u64>::new());
    let hidden = format!(r#"{{"\u0040qref":"{QRID}"}}"#);
    assert_eq!(parse(&hidden, "args").expect("an escaped @ is an @").references.len(), 1);
    for bad in [
        r#"{"@other":1}"#.to_owned(),
        r#"{"@":1}"#.to_owned(),
        r#"{"@qref":1}"#.to_owned(),
        r#"{"@qref":"qrt:x/y"}"#.to_owned(),
        format!(r#"{{"@qref":"{QRID}","a":1}}"#),
        format!(r#"{{"a":1,"@qref":"{QRID}"}}"#),
    ] {
        assert!(parse(&bad, "args").is_err(), "{bad}");
    }
}

#[test]
fn an_inside_text_may_only_hold_what_was_given_out() {
    assert_eq!(check(r#"{"a":{"@qref":7}}"#, "memory", |n| n == 7).expect("held").references, [7]);
    let stolen = check(r#"{"a":{"@qref":8}}"#, "memory", |n| n == 7).expect_err("not held");
    assert_eq!(stolen.path, "memory.a");
    for not_canonical in
        ["{ }", "1.0", "[1, 2]", r#""\/""#, r#""\u0041""#, "01", r#"{"@qref":"x"}"#, r#"{"@qref":07}"#, ""]
    {
        assert!(check(not_canonical, "memory", |_| true).is_err(), "{not_canonical}");
    }
}

#[test]
fn errors_name_the_path_and_the_place() {
    assert_eq!(
        refusal("{\"items\":[1,\n {\"odd key\":[1e999]}]}"),
        "args.items[1][\"odd key\"][0]: 1e999 is beyond the range of a double (line 2, column 14)"
    );
    assert_eq!(refusal("[1,2"), "args: the text ends where `,` or `]` is missing (line 1, column 5)");
    assert_eq!(refusal("{\"a\":1,\"a\":2}"), "args: the key \"a\" stands here twice (line 1, column 8)");
    assert!(refusal("9007199254740993").contains("write 9007199254740992"));
    for bad in [
        "",
        " ",
        "nul",
        "[1,]",
        "{,}",
        "{\"a\"}",
        "+1",
        "1.",
        ".5",
        "01",
        "1e",
        "\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\u{1}\"",
        "1 2",
        "NaN",
        "'a'",
    ] {
        refusal(bad);
    }
}

#[test]
fn nesting_ends_at_128() {
    let nest = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&nest(DEPTH_MAX), "args").is_ok());
    assert!(parse(&nest(DEPTH_MAX + 1), "args").is_err());
    // Far deeper is refused as cheaply: no recursion follows the text.
    assert!(parse(&"[".repeat(1_000_000), "args").is_err());
}

#[test]
fn an_object_comes_apart_and_together() {
    let text = r#"{"a":1,"@@b":[{"@@c":2}],"q\"":{"@qref":3}}"#;
    let entries = split_object(text).expect("an object");
    assert_eq!(entries.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["a", "@b", "q\""]);
    assert_eq!(join_object(entries.iter().map(|(k, v)| (k.as_str(), v.as_str()))), text);
    for no_object in ["[]", "1", r#"{"@qref":3}"#] {
        assert!(split_object(no_object).is_err(), "{no_object}");
    }
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map("[^@].*", inner, 0..8)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_json_value_survives_and_is_then_canonical(value in value()) {
        let text = parse(&value.to_string(), "args").expect("serde_json writes JSON").text;
        let again: serde_json::Value = serde_json::from_str(&text).expect("canonical text is JSON");
        // serde_json tells 1.0 from 1; a double does not.
        prop_assert_eq!(parse(&again.to_string(), "args").expect("JSON").text, text.clone());
        prop_assert!(check(&text, "args", |_| false).is_ok());
        let serde = serde_json::to_string(&value).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&serde).expect("JSON").is_object(), text.starts_with('{'));
    }

    #[test]
    fn no_text_panics_and_serde_json_agrees_on_what_is_json(text in r#"[\[\]{}",:0-9eE+.\\untrfalsé \-]{0,24}"#) {
        let ours = parse(&text, "args");
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        if ours.is_ok() {
            prop_assert!(theirs.is_ok(), "{text}: only we accept it");
        }
    }
}
