//! One turn in a worker that is made for it and ends with it.
//!
//! The kernel's loop knows nothing of it: what the worker asks is answered by whoever had it run.

use std::io;
use std::sync::mpsc;

use super::process::{Event, Process, Spares};
use super::watch::Deadlines;
use crate::protocol::{
    Budget, CodeNumber, Delivery, FromWorker, Handle, Image, MemoryHandle, Page, Report, Running, ToWorker, Wanted,
};
use crate::vat::Death;

/// Things a worker may have said that nobody has looked at yet; it waits when there are more.
const UNHEARD_MAX: usize = 4;

/// Who answers what the turn asks.
pub trait Host {
    /// Why it cannot go on.
    type Error: From<io::Error>;

    /// The text of a code.
    fn text(&mut self, code: CodeNumber) -> Result<String, Self::Error>;
    /// An object that the turn calls, or why it cannot.
    fn load(&mut self, object: Handle) -> Result<Result<Box<Image>, String>, Self::Error>;
    /// What the turn wants of a Memory.
    fn ask(&mut self, memory: MemoryHandle, wanted: &Wanted) -> Result<Page, Self::Error>;
}

/// How the turn ended.
#[derive(Debug)]
pub enum End {
    /// The worker reports this.
    Done(Box<Report>),
    /// The worker died in it, and this is what it said it ran.
    Died(Death, Option<Running>),
}

/// Runs `delivery` in a worker of its own. Blocks until it ends, which its deadlines see to.
///
/// # Errors
/// No worker can be started, or `host` cannot answer.
pub fn run<H: Host>(spares: &Spares, delivery: Delivery, host: &mut H) -> Result<End, H::Error> {
    let Budget { cpu_ms, wall_ms, .. } = delivery.budget;
    let (sender, events) = mpsc::sync_channel(UNHEARD_MAX);
    let process = spares.take()?.start(Some(Deadlines { cpu_ms, wall_ms }), move |event| sender.send(event).is_ok())?;
    let mut told = Vec::new();
    let code = delivery.target.code;
    process.say(vec![learn(host, &mut told, code)?, ToWorker::Deliver(Box::new(delivery))]);
    let lost = || io::Error::other("the worker is gone, and nobody says how");
    loop {
        match events.recv().map_err(|_| lost())? {
            Event::Gone(death, ran) => return Ok(End::Died(death, ran)),
            Event::Said(said) => {
                for said in said {
                    if let Some(report) = hear(&process, host, &mut told, said)? {
                        return Ok(End::Done(report));
                    }
                }
            }
        }
    }
}

/// Answers one thing that the worker said, unless it is its report.
fn hear<H: Host>(
    process: &Process,
    host: &mut H,
    told: &mut Vec<CodeNumber>,
    said: FromWorker,
) -> Result<Option<Box<Report>>, H::Error> {
    match said {
        FromWorker::Done { report, .. } => return Ok(Some(report)),
        FromWorker::Load { object, .. } => {
            let image = host.load(object)?;
            if let Ok(Image { code, .. }) = image.as_deref()
                && !told.contains(code)
            {
                process.say(vec![learn(host, told, *code)?]);
            }
            process.answer(ToWorker::Loaded(image));
        }
        FromWorker::Ask { memory, wanted, .. } => process.answer(ToWorker::Entries(host.ask(memory, &wanted)?)),
        FromWorker::Ready(_) | FromWorker::Checked(_) => {
            process.kill(Death::Crashed("it said what no worker says".to_owned()));
        }
    }
    Ok(None)
}

fn learn<H: Host>(host: &mut H, told: &mut Vec<CodeNumber>, code: CodeNumber) -> Result<ToWorker, H::Error> {
    told.push(code);
    Ok(ToWorker::Code { code, text: host.text(code)? })
}
