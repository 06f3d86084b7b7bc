//! How people read things: times in UTC, ages, sizes in KiB, aligned tables, QJSON in lines.
//!
//! Text that object code or another vat had a say in goes through [`line()`], [`block`] or [`json`], so that it
//! can neither move the cursor nor look like another line.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use qrt_shared::id::{MessageName, Petname, Qrid, VatId};

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-22 08:15:03`, in UTC.
pub fn time(at_ms: u64) -> String {
    let seconds = at_ms / 1000;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Days to a civil date, by the 400-year cycle: years begin in March, so that the leap day is last.
    // Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// How long ago `at_ms` was: `now`, `12 s ago`, `3 min ago`, `5 h ago`, `9 d ago`.
pub fn age(at_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(at_ms) / 1000 {
        0 => "now".to_owned(),
        seconds @ ..60 => format!("{seconds} s ago"),
        seconds @ ..3600 => format!("{} min ago", seconds / 60),
        seconds @ ..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// When something is due: `now`, `in 12 s`, `in 3 min`, `in 5 h`.
pub fn due(at_ms: u64, now_ms: u64) -> String {
    // Rounded up: what is due in a moment is not due yet.
    match at_ms.saturating_sub(now_ms).div_ceil(1000) {
        0 => "now".to_owned(),
        seconds @ ..120 => format!("in {seconds} s"),
        seconds @ ..7200 => format!("in {} min", seconds / 60),
        seconds => format!("in {} h", seconds / 3600),
    }
}

/// `512 B`, `1.5 KiB`, `300 KiB`, `12.0 MiB`.
pub fn size(bytes: u64) -> String {
    let tenths = |unit: u64| (bytes * 10 + unit / 2) / unit;
    match bytes {
        ..1024 => format!("{bytes} B"),
        1024..102_400 => format!("{}.{} KiB", tenths(1024) / 10, tenths(1024) % 10),
        102_400..1_048_576 => format!("{} KiB", bytes / 1024),
        1_048_576..0x0010_0000_0000_0000 => format!("{}.{} MiB", tenths(1 << 20) / 10, tenths(1 << 20) % 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// CPU time: `830 us`, `1.2 ms`, `45.0 s`.
pub fn duration(us: u64) -> String {
    match us {
        ..1000 => format!("{us} us"),
        1000..1_000_000 => format!("{}.{} ms", us / 1000, us / 100 % 10),
        _ => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
    }
}

/// `1 message`, `2 messages`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The petname, or a short prefix of the object's id: enough to tell objects apart, not to use one.
pub fn object(name: Option<&Petname>, qrid: &Qrid) -> String {
    name.map_or_else(|| format!("{}..", &qrid.object.to_string()[..6]), ToString::to_string)
}

/// A petname, or a short prefix of a vat's id: enough to tell vats apart, not to use one.
pub fn vat(name: Option<&Petname>, vat: &VatId) -> String {
    name.map_or_else(|| format!("{}..", &vat.to_string()[..6]), ToString::to_string)
}

/// A message in few characters: `in:5`, or `rnll4p..#7` for one to another vat.
pub fn message(message: &MessageName) -> String {
    match message {
        MessageName::In(_) => message.to_string(),
        MessageName::Out(peer, seq) => format!("{}#{seq}", vat(None, peer)),
    }
}

/// What has an id, and the name it has here, if it has one.
pub fn named(name: Option<&Petname>, id: &impl Display) -> String {
    name.map_or_else(|| id.to_string(), |name| format!("{name}  {id}"))
}

/// Whose share a message spends, in few characters.
pub fn source(name: Option<&Petname>, source: &str) -> String {
    if let Ok(qrid) = source.parse::<Qrid>() {
        return object(name, &qrid);
    }
    source.parse::<VatId>().map_or_else(|_| line(source), |peer| format!("vat {}", vat(name, &peer)))
}

/// Whether a terminal would do something with `c` other than show it: control characters, and
/// those that reorder or hide what stands around them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn push_safe(out: &mut String, c: char) {
    if is_unsafe(c) {
        write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes all");
    } else {
        out.push(c);
    }
}

/// `text` as one line: line breaks and tabs become a blank, what could steer a terminal its escape.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c => push_safe(&mut out, c),
        }
    }
    out
}

/// `text` of several lines: line breaks and tabs stay, what could steer a terminal becomes its escape.
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => push_safe(&mut out, c),
        }
    }
    out
}

/// JSON whose strings cannot steer a terminal: what could becomes its escape of JSON, which every reader takes for the
/// same.
pub fn json(text: &str) -> Cow<'_, str> {
    // Outside of strings JSON has nothing but ASCII and white space.
    let is_unsafe = |c: char| is_unsafe(c) && !c.is_ascii_whitespace();
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a String takes all");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// `text` as one line of at most `width` characters, its end replaced by `..` when it is longer.
pub fn clip(text: &str, width: usize) -> String {
    // A longer text cannot fit, and need not be walked to its end.
    let head: String = text.chars().take(width + 1).collect();
    let safe = line(&head);
    if safe.chars().count() <= width {
        return safe;
    }
    let kept: String = safe.chars().take(width.saturating_sub(2)).collect();
    format!("{kept}..")
}

/// `text` with line breaks between words, so that no line is longer than `width` if words allow.
pub fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, paragraph) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let mut column = 0;
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
    }
    out
}

/// A key of an object's memory in at most `width` characters: as JSON writes it where it would not be seen otherwise.
pub fn key(key: &str, width: usize) -> String {
    let plain = !key.is_empty() && key.trim() == key && !key.contains(|c: char| c.is_control() || c == '"');
    if plain { clip(key, width) } else { clip(&serde_json::Value::from(key).to_string(), width) }
}

/// QJSON in lines for people: what fits in `width` stays on one line, the rest is indented by two.
pub fn qjson(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let safe = json(text).replace(['\n', '\r', '\t'], " ");
    lay_out(&safe, 0, 0, width, &mut out);
    out
}

/// Writes `value`, which starts in column `column` of a line indented by `indent`.
fn lay_out(value: &str, indent: usize, column: usize, width: usize, out: &mut String) {
    let value = value.trim();
    let items = items(value);
    // A reference is one thing, however long it is.
    let whole = items.is_empty() || value.starts_with("{\"@qref\":");
    if whole || column + value.len() + 2 * items.len() <= width {
        out.push_str(&spaced(value));
        return;
    }
    let inner = indent + 2;
    out.push_str(&value[..1]);
    for (number, item) in items.iter().enumerate() {
        out.push_str(if number == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat(inner));
        let key_end = if value.starts_with('{') { key_end(item) } else { 0 };
        let key = item[..key_end].trim();
        if key.is_empty() {
            lay_out(&item[key_end..], inner, inner, width, out);
        } else {
            out.push_str(key);
            out.push(' ');
            lay_out(&item[key_end..], inner, inner + key.len() + 1, width, out);
        }
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push_str(&value[value.len() - 1..]);
}

/// The members of an object, each with its key as it is written, or of an array, without; none of anything else.
pub fn members(value: &str) -> Vec<(&str, &str)> {
    let value = value.trim();
    if !value.starts_with(['{', '[']) {
        return Vec::new();
    }
    let member = |item| {
        let (key, value): (&str, &str) =
            if value.starts_with('{') { str::split_at(item, key_end(item)) } else { ("", item) };
        (key.trim().trim_end_matches(':').trim_end(), value.trim())
    };
    items(value).into_iter().map(member).collect()
}

/// Walks JSON text and tells `visit` of every structural character: its place, itself, its depth.
fn structure(text: &str, mut visit: impl FnMut(usize, u8, usize)) {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                visit(at, byte, depth);
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                visit(at, byte, depth);
            }
            b',' | b':' => visit(at, byte, depth),
            _ => {}
        }
    }
}

/// The items of an array, or `"key": value` pairs of an object; none for anything else.
fn items(value: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut from = 1;
    structure(value, |at, byte, depth| {
        let ends = (byte == b',' && depth == 1) || (matches!(byte, b'}' | b']') && depth == 0);
        if ends {
            if !value[from..at].trim().is_empty() {
                items.push(&value[from..at]);
            }
            from = at + 1;
        }
    });
    items
}

/// The end of the key and its colon in a `"key": value` pair.
fn key_end(item: &str) -> usize {
    let mut end = 0;
    structure(item, |at, byte, depth| {
        if byte == b':' && depth == 0 && end == 0 {
            end = at + 1;
        }
    });
    end
}

/// One line of JSON with a blank after every comma and colon.
fn spaced(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 16);
    let mut from = 0;
    structure(value, |at, byte, _| {
        if matches!(byte, b',' | b':') {
            out.push_str(value[from..=at].trim());
            out.push(' ');
            from = at + 1;
        }
    });
    out.push_str(value[from..].trim());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_dates() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(time(1_795_335_303_999), "2026-11-22 08:15:03");
        assert_eq!(time(4_107_542_399_000), "2100-02-28 23:59:59");
        assert_eq!(time(4_107_542_400_000), "2100-03-01 00:00:00");
        // A clock that is badly wrong must not end the program.
        assert!(!time(u64::MAX).is_empty());
    }

    #[test]
    fn ages_sizes_and_durations_have_units() {
        assert_eq!(age(5000, 5100), "now");
        assert_eq!(age(5000, 4000), "now");
        assert_eq!(age(0, 59_999), "59 s ago");
        assert_eq!(age(0, 3_599_999), "59 min ago");
        assert_eq!(age(0, 172_799_000), "47 h ago");
        assert_eq!(age(0, 864_000_000), "10 d ago");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(204_800), "200 KiB");
        assert_eq!(size(12 << 20), "12.0 MiB");
        assert!(size(u64::MAX).ends_with(" MiB"));
        assert_eq!(duration(830), "830 us");
        assert_eq!(duration(1_260), "1.2 ms");
        assert_eq!(duration(45_000_000), "45.0 s");
        assert_eq!(count(1, "turn"), "1 turn");
        assert_eq!(count(0, "turn"), "0 turns");
    }

    #[test]
    fn what_is_due_is_told_from_now() {
        assert_eq!(due(1000, 1000), "now");
        assert_eq!(due(500, 1000), "now");
        assert_eq!(due(1001, 1000), "in 1 s");
        assert_eq!(due(120_000, 500), "in 2 min");
        assert_eq!(due(7_200_000, 0), "in 2 h");
    }

    #[test]
    fn a_vat_is_never_mistaken_for_an_object() {
        let vat = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";
        assert_eq!(source(None, vat), "vat rnll4p..");
        assert_eq!(source(Some(&"bob".parse().expect("a name")), vat), "vat bob");
        assert_eq!(source(None, &format!("qrt:{vat}/7z2fziy4eazx2seb54ittqs77cr5lfj3")), "7z2fzi..");
        assert_eq!(source(None, "operator"), "operator");
        assert_eq!(message(&format!("{vat}#7").parse().expect("a name")), "rnll4p..#7");
        assert_eq!(message(&MessageName::In(3)), "in:3");
    }

    #[test]
    fn untrusted_text_cannot_steer_the_terminal() {
        assert_eq!(line("a\n\u{1b}[2Jb\u{9b}\u{202e}c"), "a \\u{1b}[2Jb\\u{9b}\\u{202e}c");
        assert_eq!(block("a\r\n\tb\rc"), "a\n\tb\\u{d}c");
    }

    #[test]
    fn json_cannot_steer_it_either_and_stays_the_same() {
        let text = "{\"a\": [\"\u{9b}31mRED\u{202e}\",\n\"\u{7f}\u{2028}\u{feff}\u{e9}\"]}";
        let safe = json(text);
        assert_eq!(safe, "{\"a\": [\"\\u009b31mRED\\u202e\",\n\"\\u007f\\u2028\\ufeff\u{e9}\"]}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(&safe), value(text));
        assert!(matches!(json("{\"a\": \"\u{e9}\"}"), Cow::Borrowed(_)));
        assert_eq!(value(&qjson(text, 8)), value(text));
        assert!(!qjson(text, 8).contains(|c: char| is_unsafe(c) && c != '\n'));
    }

    #[test]
    fn long_text_is_clipped_with_a_mark() {
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdefg", 6), "abcd..");
        assert_eq!(clip("äöüß", 3), "ä..");
        assert_eq!(clip("\u{1b}\u{1b}", 6), "\\u{1..");
    }

    #[test]
    fn a_key_is_seen_whatever_it_is() {
        assert_eq!(key("a b", 9), "a b");
        assert_eq!((key("", 9), key("a\tb", 9), key(" a", 9)), (r#""""#.into(), r#""a\tb""#.into(), r#"" a""#.into()));
        assert_eq!(key("abcdefghi", 6), "abcd..");
    }

    #[test]
    fn paragraphs_are_wrapped_between_words() {
        assert_eq!(wrap("one two three\n\nfour", 7), "one two\nthree\n\nfour");
        assert_eq!(wrap("a-very-long-word b", 4), "a-very-long-word\nb");
    }

    #[test]
    fn qjson_that_fits_stays_on_one_line() {
        assert_eq!(qjson(r#"{"a":[1,2],"b":{}}"#, 80), r#"{"a": [1, 2], "b": {}}"#);
        assert_eq!(qjson(r#"{"@qref":"qrt:a/b"}"#, 2), r#"{"@qref": "qrt:a/b"}"#);
        assert_eq!(qjson(r#""a:b,{\"""#, 2), r#""a:b,{\"""#);
    }

    #[test]
    fn members_are_as_they_are_written() {
        let text = r#"{ "a:b" : [1, {"c": "]"}], "@@k":"x,y","e":{} }"#;
        assert_eq!(members(text), [(r#""a:b""#, r#"[1, {"c": "]"}]"#), (r#""@@k""#, r#""x,y""#), (r#""e""#, "{}")]);
        assert_eq!(members("[1e+21, null]"), [("", "1e+21"), ("", "null")]);
        assert_eq!((members("{}"), members("\"a,b\""), members("12")), (vec![], vec![], vec![]));
    }

    #[test]
    fn qjson_that_does_not_fit_is_indented() {
        let text = r#"{"first":[1,2,3],"second":{"@@k":"a,b:{}","list":[10000,20000,30000]},"n":1e+21}"#;
        let expected = "{\n  \"first\": [1, 2, 3],\n  \"second\": {\n    \"@@k\": \"a,b:{}\",\n    \"list\": [\n      \
                        10000,\n      20000,\n      30000\n    ]\n  },\n  \"n\": 1e+21\n}";
        assert_eq!(qjson(text, 24), expected);
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
        assert!(qjson(&deep, 10).lines().count() > 200);
    }
}
