//! QJSON: what is taken in is what is given out, and no text is inside form but the canonical one.

use qrt_shared::qjson::{self, Document};

/// Values of every kind, in either form.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    const VAT: &str = "hh46ccdcgbbpeemvlx6ddo3gwz4oxgw7bdmd4ago4a4b7gqjkjja";
    const OBJECT: &str = "25dm7gtavirl3bip5n3wr6xbwcetolul";
    let mut seeds: Vec<Vec<u8>> = [
        "null",
        r#"{"a":[1,-0,1.5e300,5e-324,true,false,null,"x\ny \u00e9 😀"],"@@b":{"c":{}},"0":1,"":2}"#,
        r#"{"@qref":17}"#,
        r#"[{"@qref":0},{"k":{"@qref":4503599627370496}},{"@@qref":1}]"#,
        " [ 1 , 2.50 , 1E2 , \"\\u0041\\ud83d\\ude00\\/\" ] ",
        "[[[[[[[[]]]]]]]]",
        r#"{"a":1,"a":2}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    seeds.push(
        format!(r#"[{{"@qref":"qrt:{VAT}/{OBJECT}"}},{{"x":{{"@qref":"qrt:{VAT}/{OBJECT}?at=http://a:1"}}}}]"#).into(),
    );
    seeds
}

fn taken(text: &str) -> Option<Document> {
    qjson::parse(text, "value").ok()
}

/// The document in outside form, with all hints.
fn given_out(document: &Document) -> String {
    let name = |number| document.references.get(usize::try_from(number).ok()?).cloned();
    qjson::export_hinted(&document.text, usize::MAX, name).expect("what was taken in can be given out")
}

pub(super) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(document) = taken(text) {
        serde_json::from_str::<serde::de::IgnoredAny>(text).expect("QJSON is JSON");
        let found = qjson::check(&document.text, "value", |number| number < document.references.len() as u64);
        let found = found.expect("what was taken in is in inside form");
        assert_eq!(found.size_bytes, document.size_bytes, "{text}");
        assert_eq!(found.references.len(), document.references.len(), "{text}");
        let outside = given_out(&document);
        assert_eq!(taken(&outside).as_ref(), Some(&document), "{text} was given out as {outside}");
    }
    if let Ok(found) = qjson::check(text, "value", |_| true) {
        assert_eq!(found.references, qjson::references(text).expect("inside form"), "{text}");
        // Numbered by appearance, it is a document of its own.
        let place = |number| found.references.iter().position(|known| *known == number).expect("it was found") as u64;
        let renumbered = qjson::renumber(text, place).expect("inside form");
        let back = qjson::renumber(&renumbered, |place| found.references[usize::try_from(place).expect("small")]);
        assert_eq!(back.as_deref(), Ok(text));
        if found.references.is_empty() {
            let document = taken(text).expect("inside form without references is outside form");
            assert_eq!((document.text.as_str(), document.size_bytes), (text, found.size_bytes));
        }
    }
}
