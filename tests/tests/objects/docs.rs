//! Every example in `docs/objects.md` does what it says there.
//!
//! A block ```` ```js NAME memory=JSON power=JSON natives=A,B ```` is an object, everything after `js`
//! optional; the ```` ```text ```` block after it is what happens: `> ARGS` sends to it, and what
//! follows is the result, `error: ...`, `killed: ...` or `not QJSON: ...`; `memory: ...` and
//! `NAME memory: ...` are memories, `hold NAME`, `release NAME` and `remove NAME` what the operator does, `log: ...` the lines of its last turn, `refused: ...` why it cannot be
//! installed. `qrt:NAME` stands for a QRID, `qrt:self` for the object's own.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use qrt_shared::view::Outcome;
use qrt_tests::{Grant, Object, Vat};

use crate::vat;

const PAGE: &str = include_str!("../../../docs/objects.md");

struct Block<'a> {
    line: usize,
    info: &'a str,
    text: String,
}

fn blocks() -> Vec<Block<'static>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, text) in (1..).zip(PAGE.lines()) {
        if let Some(info) = text.strip_prefix("```") {
            if !open {
                blocks.push(Block { line, info, text: String::new() });
            }
            open = !open;
        } else if open {
            let block = blocks.last_mut().expect("an open block");
            block.text.push_str(text);
            block.text.push('\n');
        }
    }
    assert!(!open, "a block does not end");
    blocks
}

/// The word that follows `key=`; JSON in it has no blanks.
fn setting<'a>(info: &'a str, key: &str) -> Option<&'a str> {
    info.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Waits until the vat has nothing left to do.
fn settle(vat: &Vat) {
    vat.ask(async |client| {
        loop {
            let info = client.info().await?;
            if info.inbox == 0 {
                return Ok(());
            }
            client.turns(None, info.turns, Duration::from_secs(1)).await?;
        }
    });
}

/// Runs the page's objects and writes down what happens, in the page's own notation.
struct Reader<'v> {
    vat: &'v Vat,
    named: HashMap<&'static str, Object<'v>>,
}

impl Reader<'_> {
    /// QRIDs in the place of names.
    fn resolved(&self, text: &str, own: &str) -> String {
        let text = text.replace("qrt:self\"", &format!("{own}\""));
        self.named
            .iter()
            .fold(text, |text, (name, object)| text.replace(&format!("qrt:{name}\""), &format!("{}\"", object.qrid)))
    }

    /// Names in the place of QRIDs, where there is one.
    fn shown(&self, text: &str) -> String {
        let named = self
            .named
            .iter()
            .fold(text.to_owned(), |text, (name, object)| text.replace(&object.qrid, &format!("qrt:{name}")));
        let mut parts = named.split("\"@qref\":\"qrt:");
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('"').expect("a QRID in quotes");
            let name = if name.contains('/') { "..." } else { name };
            let _ = write!(shown, "\"@qref\":\"qrt:{name}\"{rest}");
        }
        shown
    }

    /// What `object` answers to `args`.
    fn answer(&self, object: &Object, args: &str) -> String {
        let ended = object.send(&self.resolved(args, &object.qrid));
        let error = ended.error.unwrap_or_default();
        match (ended.outcome, ended.result_error) {
            (Outcome::Error, _) => format!("error: {error}"),
            (Outcome::Killed, _) => format!("killed: {error}"),
            (Outcome::Ok, Some(error)) => format!("not QJSON: {error}"),
            (Outcome::Ok, None) => self.shown(ended.result.get()),
        }
    }

    /// Does what an operator does to the object `name`.
    fn operate(&self, verb: &str, name: &str) {
        let target = self.named[name].qrid.parse().expect("a QRID");
        self.vat.ask(async |client| match verb {
            "remove" => client.remove(&target, false).await.map(drop),
            _ => client.hold(&target, verb == "hold").await.map(drop),
        });
    }

    /// The transcript that `expected` should be.
    fn transcript(&self, object: &Result<Object, String>, expected: &str) -> String {
        let object = match object {
            Ok(object) => object,
            Err(why) => return format!("refused: {why}\n"),
        };
        let mut told = String::new();
        let mut log = Vec::new();
        for line in expected.lines() {
            let now = if let Some((verb @ ("hold" | "release" | "remove"), name)) = line.split_once(' ') {
                self.operate(verb, name);
                line.to_owned()
            } else if let Some(args) = line.strip_prefix("> ") {
                let answer = self.answer(object, args);
                settle(self.vat);
                log = object.last_turn().log;
                log.reverse();
                format!("{line}\n{answer}")
            } else if line.starts_with("memory: ") {
                format!("memory: {}", self.shown(&object.memory()))
            } else if line.starts_with("log: ") {
                format!("log: {}", log.pop().unwrap_or_default())
            } else if let Some((name, _)) =
                line.split_once(" memory: ").filter(|(name, _)| self.named.contains_key(name))
            {
                format!("{name} memory: {}", self.shown(&self.named[name].memory()))
            } else {
                // The answer to the line before, which has been told.
                continue;
            };
            told.push_str(&now);
            told.push('\n');
        }
        told
    }
}

#[test]
fn every_example_does_what_the_page_says() {
    let vat = vat();
    let mut reader = Reader { vat: &vat, named: HashMap::new() };
    let blocks = blocks();
    let (mut examples, mut wrong) = (0, Vec::new());
    for (at, block) in blocks.iter().enumerate() {
        let Some(info) = block.info.strip_prefix("js") else {
            assert_eq!(block.info, "text", "line {}", block.line);
            continue;
        };
        let natives: Option<Vec<_>> = setting(info, "natives").map(|names| names.split(',').collect());
        let grant = Grant {
            memory: Some(setting(info, "memory").unwrap_or("{}")),
            power: setting(info, "power").unwrap_or("{}"),
            natives: natives.as_deref().unwrap_or(Grant::default().natives),
        };
        let object = vat
            .try_object(&block.text, &grant)
            .map_err(|problem| problem.error.strip_prefix("object.js:").expect("an error about the code").to_owned());
        if let Some(expected) = blocks.get(at + 1).filter(|block| block.info == "text") {
            let told = reader.transcript(&object, &expected.text);
            if told != expected.text {
                wrong.push(format!("line {}: it says\n{}but it does\n{told}", expected.line, expected.text));
            }
            examples += 1;
        } else {
            assert!(object.is_ok(), "line {}", block.line);
        }
        if let (Some(name), Ok(object)) = (info.split(' ').nth(1).filter(|word| !word.contains('=')), object) {
            reader.named.insert(name, object);
        }
    }
    assert!(wrong.is_empty(), "docs/objects.md, {}", wrong.join("\n"));
    assert!(examples > 40, "{examples} examples");
}
