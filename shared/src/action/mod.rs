//! Everything an operator can do to a vat, once.
//!
//! The command line (parser, help, exit code 2), shell completions, manual pages, what the console's keys do to a vat,
//! the control API's description (`GET /v1/`) and its routes are made from [`ACTIONS`], so they cannot disagree. To add
//! a verb, add a row there and a file of its name in the console's `cli/`; a route needs a handler in the daemon's
//! `control/`, and a line in `docs/control.md`. Tests fail until all are there.

mod table;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

pub use table::ACTIONS;

/// One thing an operator can do.
#[derive(Debug, Serialize)]
pub struct Action {
    /// What is typed after `qrt`.
    pub verb: &'static str,
    /// One line, imperative, no full stop.
    pub summary: &'static str,
    /// What a user must know beyond the summary; may be empty.
    pub details: &'static str,
    /// What it does to the vat.
    pub effect: Effect,
    /// Who carries it out.
    pub via: Via,
    /// Its arguments, positional ones in order.
    pub args: &'static [Arg],
}

/// What an action does to a vat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing.
    Read,
    /// Something that can be taken back, or adds.
    Change,
    /// Something is gone afterwards.
    Destroy,
}

/// Who carries an action out.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The running daemon, asked at these routes of its control socket.
    Control(&'static [Route]),
    /// The `qrtd` program, working on the directory's files.
    Qrtd,
    /// `qrt` itself, by other actions.
    Qrt,
}

/// A method and path of the control API. `{name}` stands for one percent-encoded segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path, starting with the API's version.
    pub path: &'static str,
    /// The query parameters it takes; any other is refused.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub query: &'static [&'static str],
    /// A body it takes, with every field it knows; empty when it takes none.
    #[serde(skip_serializing_if = "str::is_empty", serialize_with = "as_json")]
    pub body: &'static str,
}

fn as_json<S: Serializer>(text: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

/// One argument of an action.
#[derive(Debug, Serialize)]
pub struct Arg {
    /// Upper case for a positional one, lower case for `--name`.
    pub name: &'static str,
    /// How it is given.
    pub kind: Kind,
    /// What it means, one line, no full stop.
    pub help: &'static str,
}

/// How an argument is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By its place; must be there.
    Required,
    /// By its place; may be left out.
    Optional,
    /// By its place, once or more.
    Many,
    /// `--name`
    Flag,
    /// `--name VALUE`
    Option {
        /// What the value is called in help; words with a blank between them are several values.
        value: &'static str,
        /// One letter for `-x VALUE`.
        short: Option<char>,
    },
    /// `--name VALUE`; must be there.
    Demanded {
        /// What the value is called in help.
        value: &'static str,
        /// One letter for `-x VALUE`.
        short: Option<char>,
    },
    /// `--name VALUE`; may be given again.
    Repeated {
        /// What the value is called in help.
        value: &'static str,
    },
}

impl Kind {
    /// What the value of an option is called.
    pub fn value(self) -> Option<&'static str> {
        match self {
            Self::Option { value, .. } | Self::Demanded { value, .. } | Self::Repeated { value } => Some(value),
            Self::Required | Self::Optional | Self::Many | Self::Flag => None,
        }
    }
}

/// The action of that verb.
pub fn by_verb(verb: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.verb == verb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_verb_and_no_route_stands_twice() {
        let mut verbs = HashSet::new();
        let mut routes = HashSet::new();
        for action in ACTIONS {
            assert!(verbs.insert(action.verb), "{}", action.verb);
            assert!(!action.summary.ends_with('.'), "{}", action.verb);
            if let Via::Control(its_routes) = &action.via {
                for route in *its_routes {
                    assert!(routes.insert((route.method, route.path)), "{route:?}");
                    assert!(route.path.starts_with("/v1/"), "{route:?}");
                }
            }
        }
    }

    #[test]
    fn only_reads_use_get_alone() {
        // What is asked may be longer than a path, and is posted; it changes nothing all the same.
        let asks = |route: &Route| route.method == "GET" || route.path.ends_with("/replay");
        for action in ACTIONS {
            if let Via::Control(routes) = &action.via {
                let only_get = routes.iter().all(asks);
                assert_eq!(only_get, action.effect == Effect::Read, "{}", action.verb);
            }
        }
    }
}
