//! What a vat keeps of a channel, and how it changes: the sender's half is [`Outbound`], the
//! receiver's a [`Position`] that [`intake`] moves. The protocol is told in [`super`].

use qrt_shared::wire::{Ack, MessageId, Position, RequestId, Sequence, Tip};

use super::seal::{Head, OpenedRequest};

/// What the receiver does with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next: it and the new position go into one commit.
    Accepted,
    /// It was accepted before.
    Old,
    /// One before it is missing. Nothing from it on is taken.
    Gap,
    /// It follows another history than ours. Nothing from it on is taken.
    OtherHistory,
}

/// What the receiver does with a whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// One for each message that was looked at, in order; the last may be a stop.
    pub verdicts: Vec<Verdict>,
    /// Where the receiver stands afterwards.
    pub position: Position,
    /// The frame that ended the request because it did not open, when all before it stood.
    pub bad: Option<u32>,
}

impl Intake {
    /// The ack of this intake, to be sent once it is committed.
    pub fn ack(&self, re: RequestId) -> Ack {
        Ack { re, number: self.position.number, tip: self.position.tip, bad: self.bad }
    }
}

/// The receiver at `position` takes in messages, in order; `bad` is the frame after them that did not
/// open.
pub fn intake(mut position: Position, messages: impl IntoIterator<Item = Head>, bad: Option<u32>) -> Intake {
    let mut verdicts = Vec::new();
    for head in messages {
        let next = position.next(&head.id).filter(|next| next.number == head.number);
        let verdict = match next {
            _ if head.number <= position.number => Verdict::Old,
            None => Verdict::Gap,
            Some(_) if head.prev != position.tip => Verdict::OtherHistory,
            Some(next) => {
                position = next;
                Verdict::Accepted
            }
        };
        verdicts.push(verdict);
        if matches!(verdict, Verdict::Gap | Verdict::OtherHistory) {
            // The bad frame stands after the stop: the request never got there.
            return Intake { verdicts, position, bad: None };
        }
    }
    Intake { verdicts, position, bad }
}

/// [`intake`] of an opened request.
pub fn intake_request(position: Position, request: &OpenedRequest) -> Intake {
    intake(position, request.messages.iter().map(|message| message.head), request.bad)
}

/// Why and since when a channel is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Where the receiver said it stands.
    pub theirs: Position,
    /// The last number when it said so for the first time. What is above was never sent.
    pub noticed_at: Sequence,
}

/// How a channel is, for its sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Both ends agree, as far as is known.
    #[default]
    Ok,
    /// This end may have gone back: the receiver is asked, and nothing is sent before it has answered.
    Unsure,
    /// The receiver's history is not ours.
    Diverged(Stop),
    /// The receiver lost what it had acknowledged.
    PeerRolledBack(Stop),
}

impl State {
    /// Its name for people and scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unsure => "unsure",
            Self::Diverged(_) => "diverged",
            Self::PeerRolledBack(_) => "peer-rolled-back",
        }
    }

    /// The stop, if it is one.
    pub fn stop(&self) -> Option<&Stop> {
        match self {
            Self::Ok | Self::Unsure => None,
            Self::Diverged(stop) | Self::PeerRolledBack(stop) => Some(stop),
        }
    }
}

/// A request under way: what was true when it was made. There is one at a time for each peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its name.
    pub id: RequestId,
    /// The number acknowledged then.
    pub acked: Sequence,
}

/// What an ack means for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It answers another request: nothing changed.
    NotOurs,
    /// It is older than what is known by now, or than a resync: nothing changed.
    Overtaken,
    /// It fits: messages up to and with this number are acknowledged and dropped, later ones kept.
    Fits {
        /// The last message to drop; all up to the acknowledged number before are gone already.
        drop_to: Sequence,
        /// The channel was stopped, and goes on now.
        cleared: bool,
    },
    /// It does not fit: the channel is stopped, nothing is dropped. [`Outbound::state`] says why.
    Stopped {
        /// It was not stopped before, or for another reason.
        news: bool,
    },
}

/// A message's place, as its sender gives it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The new number.
    pub number: Sequence,
    /// The tip before it.
    pub prev: Tip,
}

/// What a resync would do, to be shown before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The position it would go on from.
    pub theirs: Position,
    /// Messages that were acknowledged and that the receiver no longer has.
    pub lost: u64,
    /// Messages that will be sent and may have arrived before.
    pub repeated: u64,
}

/// What a resync did to one message that is held. Its text gets this `prev` and a new nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renumbered {
    /// Its name, which stays.
    pub id: MessageId,
    /// Its number until now.
    pub from: Sequence,
    /// Its place from now on.
    pub to: Numbered,
}

/// Why there is no resync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResyncError {
    /// The ends agree.
    #[error("the histories fit: there is nothing to resync")]
    Fits,
    /// The receiver has not said yet where it stands.
    #[error("the peer has not answered since this vat went back: there is nothing to go by")]
    Unsure,
    /// The receiver has moved since the operator was asked.
    #[error("the peer has moved to {} since you were asked: ask again", .0.theirs.number)]
    Moved(Plan),
    /// The receiver claims a number that leaves none for what is held.
    #[error("the peer claims to stand at {0}, after which there are too few numbers left")]
    NoNumbers(Sequence),
}

/// A message that cannot be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no message {0} is held for this peer: it was acknowledged, or never sent")]
pub struct NotHeld(pub Sequence);

/// The sender's half of a channel. It holds the messages after `acked` up to `last`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outbound {
    /// The last message that was numbered.
    pub last: Position,
    /// The last one that was acknowledged.
    pub acked: Position,
    /// How the channel is.
    pub state: State,
}

impl Outbound {
    /// Numbers one more message; `None` when there are no numbers left. A stopped channel queues too.
    pub fn push(&mut self, id: &MessageId) -> Option<Numbered> {
        let prev = self.last.tip;
        self.last = self.last.next(id)?;
        Some(Numbered { number: self.last.number, prev })
    }

    /// The first message that may be sent now, if any may. A request takes it and those after it, in
    /// order, as many as fit.
    pub fn first_to_send(&self) -> Option<Sequence> {
        let first = self.acked.number.next()?;
        (self.state == State::Ok && first <= self.last.number).then_some(first)
    }

    /// Whether messages wait until the receiver has said where it stands.
    pub fn waits_to_ask(&self) -> bool {
        self.state == State::Unsure && self.held() > 0
    }

    /// How many messages are held.
    pub fn held(&self) -> u64 {
        self.last.number.0 - self.acked.number.0
    }

    /// What to remember of a request that is made now.
    pub fn asked(&self, id: RequestId) -> Asked {
        Asked { id, acked: self.acked.number }
    }

    /// The receiver's word on the request `asked`. `held` gives the ids of the messages held, from
    /// `acked` + 1 on; no more are taken from it than the ack acknowledges.
    pub fn answer(&mut self, asked: &Asked, ack: &Ack, held: impl IntoIterator<Item = MessageId>) -> Answer {
        if ack.re != asked.id {
            return Answer::NotOurs;
        }
        let theirs = ack.position();
        // What was acknowledged goes down by a resync alone: this was asked before it.
        if asked.acked > self.acked.number {
            return Answer::Overtaken;
        }
        if theirs.number < asked.acked {
            return self.stop(theirs, State::PeerRolledBack);
        }
        let Some(newly) = theirs.number.0.checked_sub(self.acked.number.0) else {
            return Answer::Overtaken;
        };
        if theirs.number > self.last.number {
            return self.stop(theirs, State::Diverged);
        }
        let newly = usize::try_from(newly).unwrap_or(usize::MAX);
        let ours = held.into_iter().take(newly).try_fold(self.acked, |position, id| position.next(&id));
        if ours != Some(theirs) {
            return self.stop(theirs, State::Diverged);
        }
        let cleared = self.state != State::Ok;
        self.acked = theirs;
        self.state = State::Ok;
        Answer::Fits { drop_to: theirs.number, cleared }
    }

    fn stop(&mut self, theirs: Position, kind: impl Fn(Stop) -> State) -> Answer {
        // A receiver that has not moved since took nothing in, whatever was queued meanwhile.
        let before = self.state.stop().filter(|stop| stop.theirs == theirs);
        let noticed_at = before.map_or(self.last.number, |stop| stop.noticed_at);
        let state = kind(Stop { theirs, noticed_at });
        let news = state != self.state;
        self.state = state;
        Answer::Stopped { news }
    }

    /// Checks that message `number` can be replaced by a void: the void takes its number, id and `prev`
    /// and is sealed under a new nonce. If the message was ever tried, nobody here can know whether it
    /// arrived.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn void(&self, number: Sequence) -> Result<(), NotHeld> {
        let held = self.acked.number < number && number <= self.last.number;
        if held { Ok(()) } else { Err(NotHeld(number)) }
    }

    /// What a resync would do now, after an answer that stopped the channel.
    ///
    /// # Errors
    /// [`ResyncError::Fits`], [`ResyncError::Unsure`] or [`ResyncError::NoNumbers`].
    pub fn plan(&self) -> Result<Plan, ResyncError> {
        let none = if self.state == State::Unsure { ResyncError::Unsure } else { ResyncError::Fits };
        let stop = self.state.stop().ok_or(none)?;
        let acked = self.acked.number.0;
        if stop.theirs.number.0.saturating_add(self.held()) > Sequence::MAX.0 {
            return Err(ResyncError::NoNumbers(stop.theirs.number));
        }
        Ok(Plan {
            theirs: stop.theirs,
            lost: acked.saturating_sub(stop.theirs.number.0),
            repeated: stop.noticed_at.0.saturating_sub(acked),
        })
    }

    /// Takes the receiver's position for our own, as the operator decided on `plan`, and numbers what is
    /// held anew. Ask the receiver once more just before.
    ///
    /// # Errors
    /// [`ResyncError`]; nothing changed.
    pub fn resync(
        &mut self,
        plan: &Plan,
        held: impl IntoIterator<Item = MessageId>,
    ) -> Result<Vec<Renumbered>, ResyncError> {
        let now = self.plan()?;
        if now.theirs != plan.theirs {
            return Err(ResyncError::Moved(now));
        }
        let mut anew = Self { last: plan.theirs, acked: plan.theirs, state: State::Ok };
        let mut renumbered = Vec::new();
        for (id, from) in held.into_iter().zip(self.acked.number.0 + 1..=self.last.number.0) {
            let to = anew.push(&id).ok_or(ResyncError::NoNumbers(plan.theirs.number))?;
            renumbered.push(Renumbered { id, from: Sequence(from), to });
        }
        *self = anew;
        Ok(renumbered)
    }
}
