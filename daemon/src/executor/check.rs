//! Checking code in a worker process of its own: parsers recurse, and the text is a stranger's.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::process::{Event, Process, Spares};
use crate::protocol::{CodeError, FromWorker, ToWorker};
use crate::vat::Death;

/// How long a check may take. The largest text takes well under a second.
const DEADLINE: Duration = Duration::from_secs(5);

/// Checks texts of code, one at a time.
pub struct Checker {
    spares: Arc<Spares>,
    worker: Mutex<Option<(Process, Receiver<Event>)>>,
}

impl Checker {
    /// A checker whose worker starts with the first check.
    pub fn new(spares: Arc<Spares>) -> Self {
        Self { spares, worker: Mutex::new(None) }
    }

    /// Whether `text` is code an object can have. Blocks.
    ///
    /// # Errors
    /// The outer one: no worker can be started. The inner one: what is wrong with the text.
    pub fn check(&self, text: String) -> io::Result<Result<(), CodeError>> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let (process, events) = match worker.take() {
            Some(worker) => worker,
            None => self.start()?,
        };
        process.say(vec![ToWorker::Check { text }]);
        let refused = |message: &str| {
            let message = message.to_owned();
            Err(CodeError { message, object: None, line: 0, column: 0, excerpt: String::new() })
        };
        Ok(match events.recv_timeout(DEADLINE) {
            Ok(Event::Said(said)) => match <[FromWorker; 1]>::try_from(said) {
                Ok([FromWorker::Checked(verdict)]) => {
                    *worker = Some((process, events));
                    verdict
                }
                _ => refused("checking this code ended its process"),
            },
            Ok(Event::Gone(Death::Crashed(how), _)) => refused(&format!("checking this code ended its process: {how}")),
            Ok(_) | Err(RecvTimeoutError::Disconnected) => refused("checking this code ended its process"),
            Err(RecvTimeoutError::Timeout) => refused("checking this code took too long"),
        })
    }

    fn start(&self) -> io::Result<(Process, Receiver<Event>)> {
        let (sender, events) = mpsc::channel();
        let process = self.spares.take()?.start(None, move |event| {
            let known = match &event {
                Event::Said(said) => matches!(said.as_slice(), [FromWorker::Checked(_)]),
                Event::Gone(..) => true,
            };
            sender.send(event).ok();
            known
        })?;
        Ok((process, events))
    }
}
