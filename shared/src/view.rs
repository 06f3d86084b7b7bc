//! What people and scripts see of a vat: plain structs, serialised as they stand by `--json`.
//!
//! Times are milliseconds since the epoch (`_at`), durations and sizes carry their unit in their
//! name. QJSON stands as it is ([`RawValue`], outside form), so no number loses a digit on the way.
//! Fields are only ever added.

mod dry;
mod event;
mod history;
mod message;
mod object;
mod peer;
mod reach;
mod replay;
mod service;
mod turn;
mod vat;

pub use dry::{DryInstall, DryObject, DryUpgrade};
pub use event::{Event, EventKind, NoEventKind};
pub use history::{KeyBlame, KeyChange, MemoryDiff};
pub use message::{Awaited, Ended, Fault, Message};
pub use object::{AccountRow, AccountUse, Code, Death, Entry, Holding, Object, ObjectRow, OldCode, Place, Power};
pub use peer::{Outgoing, Peer, PeerState};
pub use reach::{Empowered, Found, Keeper, Link, Node, Reach, Root, Sweep, Unreachable, Way};
pub use replay::{Did, Difference, Made, Part, Replayed, Sent, Written};
pub use service::{Audited, BackedUp, Check, Health, Log, LogLine, Report, Restored, Setting};
pub use turn::{Change, CodeError, From, Outcome, Traced, Turn, Used};
pub use vat::{Info, Overview, Sandbox, State, Storage, TableSize, Totals, Worker, WorkerProcess};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A member that may be left out, which is not the same as null.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// A page of a list. Pass `next` back as `after` for the following page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` when this was the last.
    pub next: Option<u64>,
    /// The cursor of the page before; `None` when this was the first, or the list has no way back.
    #[serde(default)]
    pub prev: Option<u64>,
    /// Whether more rows would fit than could be looked at: a list by `sort` or `filter` looks at so many only.
    #[serde(default)]
    pub partial: bool,
    /// The commit these rows were read at.
    pub as_of: u64,
}

/// The first thing that keeps a message, a peer, an object or the vat from going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What was asked about.
    pub subject: String,
    /// Whether anything keeps it from going on.
    pub blocked: bool,
    /// One sentence.
    pub sentence: String,
    /// What shows it, a fact each.
    pub evidence: Vec<String>,
    /// The command that would clear it.
    pub command: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_awaited_outcome_reads_back_as_written() {
        for text in [
            r#"{"state":"queued"}"#,
            r#"{"state":"acked"}"#,
            r#"{"state":"unknown"}"#,
            r#"{"state":"ended","turn":7,"outcome":"ok","result":{"n":1e+21,"deep":[1.0]},"error":null}"#,
            r#"{"state":"ended","turn":null,"outcome":"error","result":null,"error":"queue full"}"#,
        ] {
            let awaited: Awaited = serde_json::from_str(text).expect("written by the daemon");
            assert_eq!(serde_json::to_string(&awaited).expect("JSON"), text);
        }
    }

    #[test]
    fn an_object_keeps_its_values_to_the_letter() {
        let vat = "rnll4pb23zsgr5bw2idvqqmn6zqn3wa6zgiubrtw2r4f4p5tm55q";
        let qrid = format!("qrt:{vat}/7z2fziy4eazx2seb54ittqs77cr5lfj3");
        let text = format!(
            r#"{{"qrid":"{qrid}","name":null,"turns":1,"faults":0,"memory_bytes":9,"cpu_us":3,"created_at":5,"account":"{qrid}","held":false,"queued":0,"refused":0,"code":{{"sha256":"ab","text":"()=>1","version":1,"history":[]}},"power":{{"statics":{{"rate":1.50}},"natives":{{}}}},"memory":{{"big":1e+21}},"maker":null,"budget":{{"ticks":7}},"account_use":{{"budget":{{}},"objects":1,"memory_bytes":9,"queued_bytes":0,"cpu_us":3,"cpu_left_us":-1}},"held_why":null,"deaths":1,"killed":[{{"at":7,"how":"boom","message":"in:3","turn":null}}],"holds":[],"held_by":[]}}"#
        );
        let object: Object = serde_json::from_str(&text).expect("written by the daemon");
        assert_eq!(serde_json::to_string(&object).expect("JSON"), text);
    }
}
