//! The worker protocol: bytes are refused or are frames, and a report that the kernel takes is about nothing but
//! what its turn was given.

use std::fmt::Debug;
use std::io::BufReader;

use qrt_shared::qjson;
use qrtd::protocol::{
    Budget, CodeError, Content, Delivery, FIRST_MADE, FromWorker, Handle, Image, Layers, Limit, Made, MadeMemory,
    Memory, MemoryChange, MemoryHandle, Native, Page, Power, Report, Sent, ToWorker, Verdict, Wanted, append_frame,
    buffered_frame, read_frame,
};
use qrtd::vat::verify::{self, Given, GivenObject};
use serde::Serialize;
use serde::de::DeserializeOwned;

const BUDGET: Budget = Budget {
    ticks: 10,
    memory_bytes: 1 << 20,
    messages: 3,
    objects: 3,
    bytes: 2_000,
    log_lines: 3,
    jobs: 10,
    calls: 4,
    cpu_ms: 100,
    wall_ms: 100,
};

/// What the one turn was given that all reports here are about.
struct Turn;

const HELD_MAX: Handle = 9;
const KEYS: [&str; 2] = ["a", "b"];

impl Given for Turn {
    fn holds(&self, handle: Handle) -> bool {
        (1..=HELD_MAX).contains(&handle)
    }

    fn object(&self, object: Handle) -> Option<GivenObject<'_>> {
        match object {
            1 => Some(GivenObject { natives: &[Native::MakeObject, Native::Log], has_memory: true }),
            2 => Some(GivenObject { natives: &[], has_memory: false }),
            _ => None,
        }
    }

    fn grants(&self, native: Native) -> bool {
        matches!(native, Native::MakeObject | Native::Log)
    }

    fn memory(&self, memory: MemoryHandle) -> Result<impl Fn(&str) -> bool, &'static str> {
        if memory == 5 { Ok(|key: &str| KEYS.contains(&key)) } else { Err("another Memory") }
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn frame(message: &impl Serialize) -> Vec<u8> {
    let mut frame = Vec::new();
    append_frame(&mut frame, message).expect("a short frame");
    frame
}

/// What an honest worker says.
pub(super) fn reports() -> Vec<Vec<u8>> {
    let made = |maker, memory| Made {
        maker,
        account: false,
        code: text("() => 1"),
        power: Power { statics: text(r#"{"x":{"@qref":3}}"#), natives: vec![(text("say"), Native::Log)] },
        memory,
    };
    let sent = |sender, target, args: &str| Sent { sender, target, args: text(args) };
    let change = |deleted: &[&str], set: &[(&str, &str)]| MemoryChange {
        memory: 5,
        deleted: deleted.iter().map(|key| text(key)).collect(),
        set: set.iter().map(|(key, value)| (text(key), text(value))).collect(),
    };
    let error = CodeError { message: text("TypeError: x"), object: Some(1), line: 1, column: 2, excerpt: text("x\n^") };
    let ok = |result: &str| Verdict::Ok { result: text(result), result_error: None };
    let reports = [
        Report::empty(ok("null")),
        Report::empty(Verdict::Ok { result: text("null"), result_error: Some(text("result: a function")) }),
        Report::empty(Verdict::Killed { limit: Limit::Ticks, message: text("more than 10 ticks") }),
        Report { log: vec![text("x"), text("y")], ..Report::empty(Verdict::Error(error)) },
        Report {
            memories: vec![change(&["a"], &[("a", "1"), ("c", r#"[{"@qref":2},4.5,"s"]"#)])],
            made: vec![
                made(1, MadeMemory::Makers),
                made(FIRST_MADE, MadeMemory::None),
                made(1, MadeMemory::New(vec![(text("k"), text("[]"))])),
            ],
            sent: vec![sent(1, 9, "null"), sent(FIRST_MADE, FIRST_MADE + 1, r#"{"@qref":4503599627370496}"#)],
            log: vec![text("made")],
            clock_used: true,
            ..Report::empty(ok(r#"{"@qref":1}"#))
        },
    ];
    let mut frames = vec![frame(&FromWorker::Ready(Layers { seccomp: true, landlock: true }))];
    frames.push(frame(&FromWorker::Load { delivery: 7, object: 3 }));
    frames.push(frame(&FromWorker::Ask { delivery: 7, memory: 5, wanted: Wanted::Key(text("a")) }));
    frames.push(frame(&FromWorker::Ask { delivery: 7, memory: 5, wanted: Wanted::Page { after: Some(3) } }));
    frames.push(frame(&FromWorker::Checked(Ok(()))));
    frames.extend(reports.into_iter().map(|report| frame(&FromWorker::Done { delivery: 7, report: Box::new(report) })));
    frames.push(frames.concat());
    frames
}

/// What a daemon says.
pub(super) fn orders() -> Vec<Vec<u8>> {
    let image = Image {
        object: 1,
        code: 2,
        power: Power { statics: text("{}"), natives: vec![(text("clock"), Native::Clock)] },
        memory: Some(Memory { memory: 5, content: Content::Whole(vec![(text("a"), text("1"))]) }),
    };
    let by_key = Content::ByKey { known: vec![(text("a"), text("1"))], settled: 3 };
    let contents =
        [Content::AsLeft, by_key].map(|content| Image { memory: Some(Memory { memory: 5, content }), ..image.clone() });
    let deliver = |target| {
        let args = text("[1]");
        ToWorker::Deliver(Box::new(Delivery {
            delivery: 7,
            target,
            args,
            clock_ms: 1,
            seed: [7; 32],
            first_made: FIRST_MADE,
            budget: BUDGET,
        }))
    };
    let mut frames =
        vec![frame(&ToWorker::Code { code: 2, text: text("() => 1") }), frame(&ToWorker::Check { text: text("1") })];
    frames.push(frame(&ToWorker::Loaded(Err(text("it is held")))));
    frames.push(frame(&ToWorker::Loaded(Ok(Box::new(image.clone())))));
    frames.push(frame(&ToWorker::Entries(Page { entries: vec![(text("a"), text("1"))], next: Some(2) })));
    frames.push(frame(&deliver(image)));
    frames.extend(contents.map(|image| frame(&deliver(image))));
    frames.push(frames.concat());
    frames
}

/// The frames that `input` begins with; each is the same when it is written and read once more.
fn frames<T: Serialize + DeserializeOwned + Debug>(input: &[u8]) -> Vec<T> {
    let mut buffered = BufReader::with_capacity(input.len().max(1), input);
    let mut rest = input;
    let mut frames = Vec::new();
    while let Ok(Some(message)) = read_frame::<T>(&mut rest) {
        let again = read_frame::<T>(&mut frame(&message).as_slice()).expect("a frame").expect("a frame");
        assert_eq!(format!("{message:?}"), format!("{again:?}"));
        // The two ways to read a pipe agree.
        std::io::BufRead::fill_buf(&mut buffered).expect("memory can be read");
        let other =
            buffered_frame::<T>(&mut buffered).expect("the other way reads it too").expect("all of it is there");
        assert_eq!(format!("{message:?}"), format!("{other:?}"));
        frames.push(message);
    }
    frames
}

pub(super) fn to_worker(input: &[u8]) {
    frames::<ToWorker>(input);
}

pub(super) fn of_worker(input: &[u8]) {
    for said in frames::<FromWorker>(input) {
        let FromWorker::Done { report, .. } = said else { continue };
        if let Ok(sizes) = verify::report(&Turn, &report, &BUDGET) {
            assert_eq!(sizes.len(), report.sent.len());
            is_about_the_turn(&report);
        }
    }
}

/// All that a report is made of, looked at one by one and without the kernel's help.
fn is_about_the_turn(report: &Report) {
    let Report { verdict, memories, made, sent, log, .. } = report;
    let may_hold = |handle: Handle| Turn.holds(handle) || made.len() as u64 > handle.wrapping_sub(FIRST_MADE);
    let ran = |handle: Handle| [1, 2].contains(&handle) || may_hold(handle) && handle >= FIRST_MADE;
    let mut values: Vec<&str> = Vec::new();
    for change in memories {
        assert_eq!(change.memory, 5, "{report:?}");
        assert!(change.deleted.iter().all(|key| KEYS.contains(&key.as_str())), "{report:?}");
        values.extend(change.set.iter().map(|(_, value)| value.as_str()));
    }
    for object in made {
        assert!(ran(object.maker) && object.maker != 2, "{report:?}");
        assert!(!object.account, "nobody may make an account: {report:?}");
        assert!(object.power.natives.iter().all(|(_, native)| Turn.grants(*native)), "{report:?}");
        values.push(&object.power.statics);
        if let MadeMemory::New(entries) = &object.memory {
            values.extend(entries.iter().map(|(_, value)| value.as_str()));
        }
    }
    for message in sent {
        assert!(ran(message.sender) && may_hold(message.target), "{report:?}");
        values.push(&message.args);
    }
    if let Verdict::Ok { result, .. } = verdict {
        values.push(result);
    } else {
        assert!(values.is_empty(), "effects of a failed turn: {report:?}");
    }
    for value in &values {
        serde_json::from_str::<serde::de::IgnoredAny>(value).expect("a value is JSON");
        assert!(qjson::references(value).expect("inside form").into_iter().all(may_hold), "{report:?}");
    }
    let bytes = values.iter().map(|value| value.len()).sum::<usize>() + log.iter().map(String::len).sum::<usize>();
    assert!(bytes as u64 <= 2 * BUDGET.bytes && sent.len() <= 3 && made.len() <= 3 && log.len() <= 3, "{report:?}");
}
