//! The service manager that may have started the daemon: systemd is told when it serves, while it is alive, and when it
//! stops. Without one, nobody is told anything.

use std::sync::mpsc::Sender;

use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};

use crate::driver::Event;

/// The vat is served.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The daemon stops in good order.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says that the daemon is alive, as often as the manager wants to hear it, as long as the kernel's loop answers.
pub async fn alive(events: Sender<Event>) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut beat = interval(patience / 3);
    loop {
        beat.tick().await;
        let (answer, answered) = oneshot::channel();
        if events.send(Event::Alive { answer }).is_err() {
            return;
        }
        if matches!(timeout(patience, answered).await, Ok(Ok(()))) {
            tell(NotifyState::Watchdog);
        }
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager was not told");
    }
}
