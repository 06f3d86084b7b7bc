//! The test's executor: a few workers, one a lane. Only the one that was given the turns in flight is
//! heard; one that still has called-back turns to answer is not kept when another is turned to.

use super::worker::{Said, Worker};
use crate::vat::lane::Lane;

/// How many are kept.
const WORKERS: usize = 3;

/// See the module. The one that is heard is the last.
#[derive(Default)]
pub(super) struct Workers(Vec<(Lane, Worker)>);

impl Workers {
    /// The one that is heard.
    pub(super) fn heard(&mut self) -> Option<&mut Worker> {
        self.0.last_mut().map(|(_, worker)| worker)
    }

    /// The worker of that lane, heard from now on; one that nobody has used if it must be `fresh`.
    pub(super) fn turn_to(&mut self, lane: Lane, fresh: bool) -> &mut Worker {
        if self.0.last().is_some_and(|(last, worker)| *last != lane && !worker.is_idle()) {
            self.0.pop();
        }
        let known = self.0.iter().position(|(known, _)| *known == lane).map(|at| self.0.remove(at));
        let fit = known.filter(|(_, worker)| !(fresh && worker.used));
        self.0.push(fit.unwrap_or_else(|| (lane, Worker::default())));
        if self.0.len() > WORKERS {
            self.0.remove(0);
        }
        &mut self.0.last_mut().expect("one was added").1
    }

    /// The next thing that the one that is heard has said.
    pub(super) fn hear(&mut self) -> Option<Said> {
        self.heard()?.hear()
    }

    pub(super) fn have_said(&mut self) -> bool {
        self.heard().is_some_and(|worker| worker.has_said())
    }

    /// The one that is heard is gone.
    pub(super) fn gone(&mut self) {
        self.0.pop();
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
