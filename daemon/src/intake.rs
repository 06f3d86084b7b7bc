//! Requests of other vats, from the server to the kernel's loop and back.

use std::sync::mpsc::Sender;
use std::time::Duration;

use qrt_shared::id::VatId;
use qrt_shared::wire::Ack;
use tokio::sync::oneshot;

use crate::driver::Event;
use crate::http::receive::{Inbox, Refused};
use crate::peer::seal::OpenedRequest;

/// When a sender that was refused is told to come again.
const LATER: Duration = Duration::from_secs(30);

/// When one that came while the vat stops is.
const SOON: Duration = Duration::from_secs(2);

/// The kernel's loop, as the server sees it.
pub struct Intake {
    events: Sender<Event>,
}

impl Intake {
    /// The loop behind `events`.
    pub fn new(events: Sender<Event>) -> Self {
        Self { events }
    }
}

impl Inbox for Intake {
    async fn receive(&self, from: VatId, request: OpenedRequest) -> Result<Ack, Refused> {
        let stopping = Refused::Unavailable { retry_after: SOON };
        let (answer, answered) = oneshot::channel();
        self.events.send(Event::Received { from, request, answer }).map_err(|_| stopping)?;
        let answer = answered.await.map_err(|_| stopping)?;
        answer.map_err(|_| Refused::Unavailable { retry_after: LATER })
    }
}
