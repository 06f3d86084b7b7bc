//! Both halves of a channel, case by case.

use qrt_shared::wire::{MessageId, Position, RequestId, Sequence, Tip};

use super::super::seal::Head;
use super::super::session::{Answer, Asked, NotHeld, Outbound, Plan, ResyncError, State, Stop, Verdict, intake};
use super::{ack, id, position};

/// The head of message `number` in the history of ids 1, 2, 3, ...
fn head(number: u8) -> Head {
    Head { number: Sequence(u64::from(number)), id: id(number), prev: at(number - 1).tip }
}

/// The position after messages 1 to `number`.
fn at(number: u8) -> Position {
    position((1..=number).map(id))
}

/// A sender that numbered `last` messages, of which `acked` are acknowledged.
fn sender(acked: u8, last: u8) -> Outbound {
    Outbound { last: at(last), acked: at(acked), state: State::Ok }
}

fn held(outbound: &Outbound) -> Vec<MessageId> {
    (outbound.acked.number.0 + 1..=outbound.last.number.0).map(|n| id(u8::try_from(n).expect("few"))).collect()
}

/// The sender hears, on a request made now, that the receiver is at `theirs`.
fn hear(outbound: &mut Outbound, theirs: Position) -> Answer {
    let asked = outbound.asked(RequestId::from_bytes([1; 16]));
    let held = held(outbound);
    outbound.answer(&asked, &ack(1, theirs), held)
}

fn elsewhere(number: u64) -> Position {
    Position { number: Sequence(number), tip: Tip::from_bytes([9; 32]) }
}

#[test]
fn the_next_message_is_accepted_and_an_old_one_is_acked_again() {
    let intake = intake(at(1), [head(1), head(2), head(2), head(3)], None);
    assert_eq!(intake.verdicts, [Verdict::Old, Verdict::Accepted, Verdict::Old, Verdict::Accepted]);
    assert_eq!(intake.position, at(3));
    let ack = intake.ack(RequestId::from_bytes([4; 16]));
    assert_eq!((ack.position(), ack.bad), (at(3), None));
}

#[test]
fn nothing_after_a_gap_is_taken_and_a_bad_frame_behind_it_is_not_reported() {
    let intake = intake(at(1), [head(3), head(2)], Some(2));
    assert_eq!((intake.verdicts, intake.position, intake.bad), (vec![Verdict::Gap], at(1), None));
}

#[test]
fn nothing_after_another_history_is_taken() {
    let stranger = Head { prev: Tip::from_bytes([1; 32]), ..head(2) };
    let intake = intake(at(1), [stranger, head(2)], None);
    assert_eq!((intake.verdicts, intake.position), (vec![Verdict::OtherHistory], at(1)));
}

#[test]
fn what_stands_before_a_bad_frame_is_accepted_and_the_bad_one_named() {
    let intake = intake(at(0), [head(1)], Some(1));
    assert_eq!((intake.position, intake.bad), (at(1), Some(1)));
}

#[test]
fn a_receiver_at_the_end_of_numbers_takes_no_more() {
    let end = Position { number: Sequence::MAX, tip: Tip::ZERO };
    let beyond = Head { number: Sequence(Sequence::MAX.0 + 1), id: id(1), prev: end.tip };
    assert_eq!(intake(end, [beyond], None).verdicts, [Verdict::Gap]);
}

#[test]
fn an_ack_drops_what_it_covers_and_keeps_the_rest() {
    let mut outbound = sender(1, 4);
    assert_eq!(outbound.first_to_send(), Some(Sequence(2)));
    assert_eq!(hear(&mut outbound, at(3)), Answer::Fits { drop_to: Sequence(3), cleared: false });
    assert_eq!((outbound.acked, outbound.held()), (at(3), 1));
    assert_eq!(hear(&mut outbound, at(3)), Answer::Fits { drop_to: Sequence(3), cleared: false });
    assert_eq!(hear(&mut outbound, at(4)), Answer::Fits { drop_to: Sequence(4), cleared: false });
    assert_eq!(outbound.first_to_send(), None);
}

#[test]
fn an_ack_of_another_request_is_ignored_whatever_it_says() {
    for theirs in [at(3), at(0), elsewhere(2), elsewhere(u64::MAX)] {
        let mut outbound = sender(1, 4);
        let asked = outbound.asked(RequestId::from_bytes([1; 16]));
        assert_eq!(outbound.answer(&asked, &ack(2, theirs), held(&sender(1, 4))), Answer::NotOurs);
        assert_eq!(outbound, sender(1, 4));
    }
}

#[test]
fn a_late_answer_to_an_early_request_is_no_rollback() {
    let mut outbound = sender(3, 4);
    let early = Asked { id: RequestId::from_bytes([1; 16]), acked: Sequence(1) };
    assert_eq!(outbound.answer(&early, &ack(1, at(2)), held(&sender(3, 4))), Answer::Overtaken);
    assert_eq!(outbound, sender(3, 4));
}

#[test]
fn a_receiver_below_what_it_acked_was_rolled_back() {
    let mut outbound = sender(3, 4);
    assert_eq!(hear(&mut outbound, at(2)), Answer::Stopped { news: true });
    let stop = Stop { theirs: at(2), noticed_at: Sequence(4) };
    assert_eq!(outbound, Outbound { state: State::PeerRolledBack(stop), ..sender(3, 4) });
    assert_eq!(outbound.state.name(), "peer-rolled-back");
    assert_eq!((outbound.first_to_send(), outbound.held()), (None, 1), "nothing is sent, nothing is dropped");
    assert_eq!(hear(&mut outbound, at(2)), Answer::Stopped { news: false });
}

#[test]
fn a_number_never_sent_or_a_strange_tip_is_another_history() {
    for theirs in [elsewhere(5), elsewhere(u64::MAX), elsewhere(4), elsewhere(3), elsewhere(2)] {
        let mut outbound = sender(2, 4);
        assert_eq!(hear(&mut outbound, theirs), Answer::Stopped { news: true }, "{theirs:?}");
        let stop = Stop { theirs, noticed_at: Sequence(4) };
        assert_eq!(outbound, Outbound { state: State::Diverged(stop), ..sender(2, 4) });
        assert_eq!((outbound.state.name(), outbound.first_to_send()), ("diverged", None));
    }
}

#[test]
fn a_stop_clears_by_itself_when_number_and_tip_fit_again() {
    let mut outbound = sender(3, 4);
    hear(&mut outbound, at(1));
    assert_eq!(hear(&mut outbound, at(4)), Answer::Fits { drop_to: Sequence(4), cleared: true });
    assert_eq!(outbound, sender(4, 4));
}

#[test]
fn a_stopped_channel_queues_and_sends_what_it_queued_once_it_goes_on() {
    let mut outbound = sender(3, 4);
    hear(&mut outbound, at(1));
    let numbered = outbound.push(&id(5)).expect("far from the end");
    assert_eq!((numbered.number, numbered.prev), (Sequence(5), at(4).tip));
    assert_eq!(outbound.first_to_send(), None);
    hear(&mut outbound, at(3));
    assert_eq!(outbound.first_to_send(), Some(Sequence(4)));
}

#[test]
fn only_what_is_held_can_be_made_void() {
    let outbound = sender(2, 4);
    assert_eq!(outbound.void(Sequence(2)), Err(NotHeld(Sequence(2))));
    assert_eq!(outbound.void(Sequence(3)), Ok(()));
    assert_eq!(outbound.void(Sequence(4)), Ok(()));
    assert_eq!(outbound.void(Sequence(5)), Err(NotHeld(Sequence(5))));
}

#[test]
fn resync_after_the_receiver_went_back_numbers_what_is_held_from_there() {
    let mut outbound = sender(5, 7);
    hear(&mut outbound, at(2));
    outbound.push(&id(8));
    let plan = outbound.plan().expect("it is stopped");
    assert_eq!(plan, Plan { theirs: at(2), lost: 3, repeated: 2 }, "8 was queued after the stop");
    let ids = held(&outbound);
    let renumbered = outbound.resync(&plan, ids).expect("nothing moved");
    let places: Vec<_> = renumbered.iter().map(|r| (r.id, r.from.0, r.to.number.0)).collect();
    assert_eq!(places, [(id(6), 6, 3), (id(7), 7, 4), (id(8), 8, 5)]);
    // The receiver takes them as what comes next.
    let heads = renumbered.iter().map(|r| Head { number: r.to.number, id: r.id, prev: r.to.prev });
    let taken = intake(at(2), heads, None);
    assert_eq!((taken.position, taken.verdicts), (outbound.last, vec![Verdict::Accepted; 3]));
    assert_eq!((outbound.acked, outbound.state), (at(2), State::Ok));
}

#[test]
fn a_question_that_was_under_way_at_a_resync_does_not_stop_the_channel_again() {
    let mut outbound = sender(3, 4);
    hear(&mut outbound, at(1));
    let asked = outbound.asked(RequestId::from_bytes([1; 16]));
    let plan = outbound.plan().expect("it is stopped");
    let ids = held(&outbound);
    outbound.resync(&plan, ids).expect("as agreed");
    let after = outbound;
    // The receiver stands where the sender has just agreed that it does.
    let held = [id(4)];
    assert_eq!(outbound.answer(&asked, &ack(1, at(1)), held), Answer::Overtaken);
    assert_eq!(outbound, after);
}

#[test]
fn resync_after_the_sender_went_back_goes_on_behind_the_receiver() {
    let mut outbound = sender(1, 3);
    let theirs = elsewhere(9);
    hear(&mut outbound, theirs);
    let plan = outbound.plan().expect("it is stopped");
    assert_eq!(plan, Plan { theirs, lost: 0, repeated: 2 });
    let ids = held(&outbound);
    let renumbered = outbound.resync(&plan, ids).expect("nothing moved");
    assert_eq!(renumbered[0].to.number, Sequence(10));
    assert_eq!(renumbered[0].to.prev, theirs.tip);
    assert_eq!(outbound.last.number, Sequence(11));
}

#[test]
fn resync_does_only_what_the_operator_was_told() {
    let mut outbound = sender(3, 4);
    assert_eq!(outbound.plan(), Err(ResyncError::Fits));
    hear(&mut outbound, at(1));
    let plan = outbound.plan().expect("it is stopped");
    hear(&mut outbound, at(2));
    let before = outbound;
    let moved = outbound.resync(&plan, held(&before)).expect_err("it moved");
    assert_eq!(moved, ResyncError::Moved(Plan { theirs: at(2), lost: 1, repeated: 1 }));
    assert_eq!(outbound, before);
    hear(&mut outbound, at(4));
    assert_eq!(outbound.resync(&plan, []), Err(ResyncError::Fits));
}

#[test]
fn a_receiver_cannot_push_a_sender_off_the_end_of_numbers() {
    for number in [Sequence::MAX.0, Sequence::MAX.0 + 1, u64::MAX] {
        let mut outbound = sender(3, 4);
        hear(&mut outbound, elsewhere(number));
        assert_eq!(outbound.plan(), Err(ResyncError::NoNumbers(Sequence(number))));
    }
}

#[test]
fn a_receiver_that_moved_while_stopped_may_have_taken_in_what_was_queued_since() {
    let mut outbound = sender(1, 2);
    hear(&mut outbound, elsewhere(5));
    outbound.push(&id(3));
    hear(&mut outbound, elsewhere(5));
    assert_eq!(outbound.plan().expect("stopped").repeated, 1);
    hear(&mut outbound, elsewhere(6));
    assert_eq!(outbound.plan().expect("stopped").repeated, 2);
}

#[test]
fn a_sender_that_may_have_gone_back_sends_nothing_until_it_is_told_where_the_receiver_stands() {
    let unsure = Outbound { state: State::Unsure, ..sender(2, 4) };
    assert_eq!((unsure.first_to_send(), unsure.waits_to_ask(), unsure.plan()), (None, true, Err(ResyncError::Unsure)));
    let mut agreed = unsure;
    assert_eq!(hear(&mut agreed, at(3)), Answer::Fits { drop_to: Sequence(3), cleared: true });
    assert_eq!((agreed.state, agreed.first_to_send()), (State::Ok, Some(Sequence(4))));
    for (theirs, state) in [(at(5), "diverged"), (elsewhere(4), "diverged"), (at(1), "peer-rolled-back")] {
        let mut stopped = unsure;
        assert_eq!(hear(&mut stopped, theirs), Answer::Stopped { news: true });
        assert_eq!((stopped.state.name(), stopped.first_to_send()), (state, None));
    }
    let mut queued = unsure;
    queued.push(&id(5)).expect("a number");
    assert_eq!((queued.state, queued.held()), (State::Unsure, 3), "what is sent meanwhile waits too");
    assert!(!Outbound { state: State::Unsure, ..sender(2, 2) }.waits_to_ask());
}
