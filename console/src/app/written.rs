//! What the operator has written in this session: arguments that were sent, and what was left unsent.

use std::collections::BTreeMap;

use super::request::Install;

/// Arguments that are remembered of one target.
const KEPT: usize = 100;

/// What was written and left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// Arguments.
    Args {
        /// The target they are for, as the operator named it.
        target: String,
        /// The text.
        args: String,
    },
    /// An object to install; `None` when it was installed.
    Install(Option<Install>),
}

/// Arguments by the target they were written for, as the operator named it.
#[derive(Debug, Default)]
pub struct Written {
    last: String,
    drafts: BTreeMap<String, String>,
    sent: BTreeMap<String, Vec<String>>,
    install: Option<Install>,
}

impl Written {
    /// This was left.
    pub fn leave(&mut self, draft: Draft) {
        match draft {
            Draft::Args { target, args } => {
                self.last.clone_from(&target);
                self.drafts.insert(target, args);
            }
            Draft::Install(install) => self.install = install,
        }
    }

    /// These were sent.
    pub fn send(&mut self, target: String, args: String) {
        let sent = self.sent.entry(target).or_default();
        sent.retain(|earlier| *earlier != args);
        sent.push(args);
        if sent.len() > KEPT {
            sent.remove(0);
        }
    }

    /// The target that was written for last.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// What was left unsent for a target.
    pub fn draft(&self, target: &str) -> &str {
        self.drafts.get(target).map_or("", String::as_str)
    }

    /// What was sent to a target, the newest last, each once.
    pub fn sent(&self, target: &str) -> &[String] {
        self.sent.get(target).map_or(&[], Vec::as_slice)
    }

    /// The object that was left uninstalled.
    pub fn install(&self) -> Option<&Install> {
        self.install.as_ref()
    }
}
