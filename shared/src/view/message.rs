//! Messages that are queued, and those that failed.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{CodeError, Outcome, Used};
use crate::id::{MessageName, Petname, Qrid};

/// A queued message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Its durable name.
    pub message: MessageName,
    /// The object it is for.
    pub target: Qrid,
    /// That object's petname.
    pub name: Option<Petname>,
    /// Whose budget and share it spends: `operator`, the QRID of an account, or the id of the vat it came
    /// from.
    pub source: String,
    /// The petname of that account or vat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<Petname>,
    /// Its arguments.
    pub args: Box<RawValue>,
    /// Their size.
    pub bytes: u64,
    /// When it was queued.
    pub queued_at: u64,
    /// Its number on the channel of the vat it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// How often a worker has died on it.
    pub deaths: u32,
    /// How many messages of this vat led to it, itself counted: each was sent by the turn of the one before.
    #[serde(default)]
    pub chain: u64,
}

/// A message whose turn failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// Its number, for `qrt fault-retry` and `qrt fault-drop`.
    pub id: u64,
    /// The message as it was queued.
    pub message: MessageName,
    /// The turn that failed.
    pub turn: Option<u64>,
    /// The object it was for; `None` when it named none of this vat.
    pub target: Option<Qrid>,
    /// That object's petname.
    pub name: Option<Petname>,
    /// The message's source.
    pub source: String,
    /// The petname of that account or vat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<Petname>,
    /// Its arguments; null when only `head` was kept.
    pub args: Box<RawValue>,
    /// The first bytes of a message from another vat that could not be delivered to any object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// `error` or `killed`.
    pub outcome: Outcome,
    /// Why.
    pub error: CodeError,
    /// Compute used until then.
    pub ticks: u64,
    /// What else it had used, all of which was rolled back.
    pub used: Used,
    /// When the turn failed.
    pub at: u64,
}

/// What became of a message that was sent from the command line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Awaited {
    /// Its first turn has ended.
    Ended(Ended),
    /// It is queued still.
    Queued,
    /// The other vat has it.
    Acked,
    /// The vat never heard of it, or its outcome was kept its time and is gone.
    Unknown,
}

/// By hand, because serde reads a tagged enum through a buffer that no [`RawValue`] comes out of.
impl<'de> Deserialize<'de> for Awaited {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Flat {
            state: String,
            turn: Option<u64>,
            outcome: Option<Outcome>,
            result: Option<Box<RawValue>>,
            result_error: Option<String>,
            error: Option<String>,
        }
        let flat = Flat::deserialize(deserializer)?;
        match flat.state.as_str() {
            "ended" => Ok(Self::Ended(Ended {
                turn: flat.turn,
                outcome: flat.outcome.ok_or_else(|| Error::missing_field("outcome"))?,
                result: flat.result.unwrap_or_else(|| RawValue::NULL.to_owned()),
                result_error: flat.result_error,
                error: flat.error,
            })),
            "queued" => Ok(Self::Queued),
            "acked" => Ok(Self::Acked),
            "unknown" => Ok(Self::Unknown),
            state => Err(Error::unknown_variant(state, &["ended", "queued", "acked", "unknown"])),
        }
    }
}

/// How a message's first turn ended; what `qrt send --wait` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// The turn; `None` when the message became a fault without one.
    pub turn: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
    /// What it returned.
    pub result: Box<RawValue>,
    /// Why the result is null although the code returned something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result_error: Option<String>,
    /// Why it failed, in one line.
    pub error: Option<String>,
}
