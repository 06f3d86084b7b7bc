//! Object code: what the check lets through is one function and nothing beside it, as a third reader sees it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use qrtd::worker::STACK_BYTES;
use rquickjs::{Context, Ctx, Module, Runtime};

use crate::Lone;

/// Functions of all kinds, and what has been mistaken for one.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        include_str!("../../../console/samples/market-maker.js"),
        include_str!("../../../console/samples/sample-methods.js"),
        "() => 1",
        "async (args, power) => { for await (const x of [1]) yield_(x); return `a${args}b` }",
        "function* g() { yield* [1, 2] } ",
        "async function* (a = 1, { b, ...c }, ...d) { 'use strict' }",
        "/* a */ x => ({ x, get y() { return /[/]\\/(?<n>x)/giu } }) // b",
        "() => 1), globalThis.x = 2, (() => 2",
        "() => { <!-- a\n}",
        "() => 1\n--> b",
        "() => { class A extends Object { #p = 1; static { this.q = #p in {} } } }",
        "() => import.meta",
        "() => { label: for (;;) { break label } \u{2028} return new.target }",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

/// The engines, on a thread that has the stack they need, for as long as the process lives.
type Engines = (Sender<String>, Receiver<Result<(), String>>);

pub(super) fn run(input: &[u8]) {
    static ENGINES: OnceLock<Mutex<Engines>> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(input) else { return };
    let engines = ENGINES.get_or_init(|| Mutex::new(start())).lock().unwrap_or_else(PoisonError::into_inner);
    engines.0.send(text.to_owned()).expect("the engines live");
    let looked = engines.1.recv().expect("the engines live");
    assert_eq!(looked, Ok(()), "{text}");
}

fn start() -> Engines {
    let (sender, texts) = mpsc::channel::<String>();
    let (answers, receiver) = mpsc::channel();
    let look = move || {
        let mut lone = Lone::default();
        while let Ok(text) = texts.recv() {
            let looked = match lone.check(&text) {
                // This reader takes no zero bytes, which mean as much as spaces wherever code may have them.
                Ok(()) => is_one_function(&text.replace('\0', " ")),
                Err(_) => Ok(()),
            };
            if answers.send(looked).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().stack_size(2 * STACK_BYTES).spawn(look).expect("a thread");
    (sender, receiver)
}

/// Whether the engine as it comes makes one function of `text`, and what is left of the text is comments.
fn is_one_function(text: &str) -> Result<(), String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    context.with(|ctx| {
        let told = as_the_engine_tells(&ctx, text);
        let told = told.map_err(|error| format!("{error}: {:?}", ctx.catch().as_exception()))?;
        let (before, after) = text.split_once(&told).ok_or("another function's text")?;
        if is_blank(before) && is_blank(after) {
            Ok(())
        } else {
            Err(format!("{before:?} and {after:?} stand beside it"))
        }
    })
}

fn as_the_engine_tells(ctx: &Ctx, text: &str) -> rquickjs::Result<String> {
    let source =
        format!("const it = (\n{text}\n); globalThis.told = typeof it + Function.prototype.toString.call(it);");
    let module = Module::declare(ctx.clone(), "it", source)?;
    let (_module, _promise) = module.eval()?;
    let told: String = ctx.globals().get("told")?;
    Ok(told.strip_prefix("function").unwrap_or("not a function").to_owned())
}

/// Whether these are blanks and comments.
fn is_blank(mut text: &str) -> bool {
    let is_space = |letter: char| letter.is_whitespace() || letter == '\u{feff}';
    let is_end = |letter: char| matches!(letter, '\n' | '\r' | '\u{2028}' | '\u{2029}');
    loop {
        text = text.trim_start_matches(is_space);
        if text.is_empty() {
            return true;
        } else if let Some(comment) = text.strip_prefix("//") {
            text = comment.find(is_end).map_or("", |at| &comment[at..]);
        } else if let Some((_, rest)) = text.strip_prefix("/*").and_then(|comment| comment.split_once("*/")) {
            text = rest;
        } else {
            return false;
        }
    }
}
