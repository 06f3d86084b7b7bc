"""What a real vat sends, and what it makes of the answers of a receiver that is not one of ours."""

import shutil
import time
import unittest

import wire
from receiver import SEEN, Receiver
from vat import Vat

BURST = "function ({ to, n }) { for (let i = 0; i < n; i++) to.sendOnly(i); }"


def breaks(_receiver, _asked):
    """The connection breaks before the answer, and nothing was taken."""
    return None


def takes_and_breaks(receiver, asked):
    """It is taken, and the answer is lost."""
    receiver.take(asked)


class Receiving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vat = Vat()
        cls.vat.install("burst", BURST)

    @classmethod
    def tearDownClass(cls):
        cls.vat.close()

    def setUp(self):
        self.there = Receiver()
        self.addCleanup(self.there.close)
        self.vat.run("peer-add", self.vat.dir, self.there.vat, self.there.url)
        self.to = f"qrt:{self.there.vat}/{wire.base32(bytes(range(20)))}"

    def tearDown(self):
        # What is left for a receiver that is gone would only be tried for ever.
        self.vat.run("hold", self.vat.dir, self.there.vat)

    def send(self, value):
        self.vat.send(self.to, value)

    def retry(self):
        self.vat.run("retry", self.vat.dir, "--peer", self.there.vat)

    def until_peer(self, what, holds):
        return self.vat.until_peer(self.there.vat, what, holds)

    def until_asked(self, count):
        self.there.until(f"{count} requests", lambda there: len(there.requests) >= count)

    def until_acked(self, number):
        return self.until_peer("the ack", lambda peer: peer["acked_out"] == number and peer["pending"] == 0)

    def values(self):
        return [message.value.get("args") for message in self.there.got]

    def pending(self):
        return [row["seq"] for row in self.vat.json("outbox", self.vat.dir) if row["peer"] == self.there.vat]

    def test_messages_come_in_order_each_naming_the_one_before_it(self):
        self.vat.run("send", "-d", self.vat.dir, "--wait", "burst", f'{{"to":{{"@qref":"{self.to}"}},"n":600}}')
        self.there.until("all", lambda there: there.number == 600)
        self.assertEqual(self.values(), list(range(600)))
        tip = wire.TIP_0
        for number, message in enumerate(self.there.got, 1):
            self.assertEqual((message.number, message.prev), (number, tip))
            self.assertEqual(message.value["to"], self.to.split("/")[1])
            tip = wire.tip(tip, message.id)
        self.assertEqual(len({message.id for message in self.there.got}), 600)
        self.assertEqual(len({nonce for asked in self.there.requests for nonce, _ in asked.frames}), 600)
        self.assertEqual(len({asked.port for asked in self.there.requests}), 1, "one connection, kept alive")
        self.until_acked(600)

    def test_what_is_refused_for_now_waits_as_long_as_it_was_asked_to(self):
        self.there.prepare(lambda *_: (503, {"retry-after": "30"}, b""))
        self.send(1)
        waiting = self.until_peer("a refusal", lambda peer: peer["attempts"] == 1)
        self.assertIn("503", waiting["last_error"])
        self.assertGreater(waiting["next_attempt_at"] - time.time() * 1000, 20_000)
        self.retry()
        self.until_acked(1)
        first, again = self.there.requests
        self.assertEqual(first.frames, again.frames)
        self.assertEqual(self.values(), [1])

    def test_what_is_sent_again_is_the_same_bytes_whenever_it_is(self):
        self.there.prepare(breaks, takes_and_breaks, breaks)
        self.send("first")
        self.until_peer("a failure", lambda peer: peer["attempts"] >= 1)
        self.send("second")
        self.vat.stop()
        self.vat.start()
        self.retry()
        self.until_acked(2)
        boxes = {}
        for asked in self.there.requests:
            for nonce, boxed in asked.frames:
                number = wire.Nonce.of(nonce).counter
                self.assertEqual(boxes.setdefault(number, (nonce, boxed)), (nonce, boxed))
        self.assertGreaterEqual(sum(len(asked.frames) for asked in self.there.requests), 4, "they were repeated")
        self.assertEqual(self.values(), ["first", "second"])

    def test_an_answer_to_another_request_is_ignored(self):
        self.there.prepare(lambda there, asked: there.ack(asked, re=bytes(16), number=1, at=self.after(asked)))
        self.send(1)
        peer = self.until_peer("a failure", lambda peer: peer["attempts"] >= 1)
        self.assertEqual((peer["state"], peer["acked_out"]), ("ok", 0))
        self.assertIn("another request", peer["last_error"])
        self.retry()
        self.until_acked(1)
        self.assertEqual(self.values(), [1])

    @staticmethod
    def after(asked):
        return wire.tip(asked.messages[-1].prev, asked.messages[-1].id)

    def test_answers_that_are_not_this_peers_are_not_believed(self):
        other = wire.Key()

        def mallory(_there, asked):
            return wire.seal_ack(other, asked.sender, asked.id, 1, self.after(asked))

        def claims_to_be_us(there, asked):
            sealed = wire.seal_ack(other, asked.sender, asked.id, 1, self.after(asked))
            return wire.MAGIC + there.key.public + sealed[36:]

        def as_message(there, asked):
            return there.ack(asked, number=1, at=self.after(asked), kind=wire.MESSAGE)

        def other_counter(there, asked):
            return there.ack(asked, number=1, at=self.after(asked), counter=2)

        def echo(there, asked):
            nonce, boxed = asked.frames[0]
            return wire.MAGIC + there.key.public + wire.frame(nonce, boxed)

        def twice(there, asked):
            honest = there.ack(asked, number=1, at=self.after(asked))
            return honest + honest[36:]

        lies = [mallory, claims_to_be_us, as_message, other_counter, echo, twice, lambda *_: b"", lambda *_: b"QRT1"]
        lies += [lambda *_: (302, {"location": self.there.url}, b""), lambda *_: (400, {}, b"")]
        self.there.prepare(*lies)
        self.send(1)
        for count in range(1, len(lies) + 1):
            peer = self.until_peer("a failure", lambda peer, count=count: peer["attempts"] >= count)
            self.assertEqual((peer["acked_out"], peer["pending"], peer["state"]), (0, 1, "ok"))
            self.retry()
        self.until_acked(1)
        self.assertEqual(len(self.there.requests), len(lies) + 1, "and none was followed or repeated at once")
        self.assertEqual(self.values(), [1])

    def stopped(self, state):
        """The channel is stopped, keeps what it has, and asks only questions."""
        peer = self.until_peer(state, lambda peer: peer["state"] == state)
        held = self.pending()
        self.send("one more")
        asked = len(self.there.requests)
        self.there.prepare(lambda there, asked: there.ack(asked, **self.lie))
        self.retry()
        self.until_asked(asked + 1)
        self.assertEqual(self.there.requests[-1].frames, [], "nothing but a question")
        self.until_peer("an answer", lambda peer: peer["state"] == state)
        self.assertEqual(self.pending(), [*held, held[-1] + 1], "nothing was dropped")
        told = self.vat.json("why", self.vat.dir, self.there.vat)
        self.assertEqual(told["command"], f"qrt peer-resync {self.vat.dir} {self.there.vat}")
        return peer

    def clears(self, number):
        """The true answer fits again, and the channel goes on by itself."""
        self.retry()
        self.until_acked(number)
        self.assertEqual(self.vat.peer(self.there.vat)["state"], "ok")
        self.assertEqual(self.there.number, number)

    def test_an_ack_above_all_that_was_sent_stops_the_channel(self):
        self.lie = {"number": 9, "at": bytes(32)}
        self.there.prepare(lambda there, asked: there.ack(asked, **self.lie))
        self.send(1)
        self.assertEqual(self.stopped("diverged")["theirs"], 9)
        self.clears(2)

    def test_a_tip_that_is_not_the_senders_stops_the_channel(self):
        self.lie = {"number": 1, "at": b"x" * 32}
        self.there.prepare(lambda there, asked: there.ack(asked, **self.lie))
        self.send(1)
        self.stopped("diverged")
        self.clears(2)

    def test_a_receiver_that_forgot_stops_the_channel_and_is_met_where_it_stands(self):
        for n in (1, 2, 3):
            self.send(n)
            self.until_acked(n)
        first = self.there.got[0]
        with self.there.news:
            self.there.number, self.there.tip = 1, wire.tip(wire.TIP_0, first.id)
        self.lie = {}
        self.send(4)
        self.assertEqual(self.stopped("peer-rolled-back")["theirs"], 1)
        before = [message.value for message in self.there.got]
        lost = self.vat.json("peer-resync", self.vat.dir, self.there.vat, "--yes")
        self.assertEqual((lost["may_be_lost"], lost["renumbered"]), (2, [2, 3]), lost)
        self.there.until("what was held", lambda there: there.number == 3)
        self.until_acked(3)
        self.assertEqual([m.value for m in self.there.got][: len(before)], before)
        self.assertEqual(self.values(), [1, 2, 3, 4, "one more"])
        self.assertEqual([m.number for m in self.there.got], [1, 2, 3, 2, 3])
        # The fourth went out as number 4 before: the same id, another nonce, another prev.
        sent = [m for asked in self.there.requests for m in asked.messages if m.value["args"] == 4]
        self.assertEqual({m.id for m in sent}, {sent[0].id})
        self.assertEqual({m.number for m in sent}, {4, 2})
        self.assertEqual(len({m.nonce for m in sent}), 2)

    def test_a_dropped_message_is_a_void_with_its_number_and_id_under_a_new_nonce(self):
        self.there.prepare(breaks)
        self.send("a mistake")
        self.until_peer("a failure", lambda peer: peer["attempts"] >= 1)
        self.send("after it")
        self.vat.run("drop", self.vat.dir, self.there.vat, 1, "--reason", "it was wrong", "--yes")
        self.retry()
        self.until_acked(2)
        tried = [m for asked in self.there.requests for m in asked.messages if m.number == 1]
        was, void = tried[0], self.there.got[0]
        self.assertEqual((void.id, void.prev, void.number), (was.id, was.prev, 1))
        self.assertNotEqual(void.nonce, was.nonce)
        self.assertEqual(void.value, {"void": "it was wrong"})
        self.assertEqual(self.values(), [None, "after it"])

    def test_a_frame_that_does_not_open_there_is_told_and_tried_again(self):
        self.vat.run("hold", self.vat.dir, self.there.vat)
        for n in (1, 2, 3):
            self.send(n)

        def first_only(there, asked):
            asked.messages = asked.messages[:1]
            there.take(asked)
            return there.ack(asked, bad=1)

        self.there.prepare(first_only)
        self.vat.run("release", self.vat.dir, self.there.vat)
        peer = self.until_peer("a failure", lambda peer: peer["attempts"] >= 1)
        self.assertEqual((peer["acked_out"], peer["state"]), (1, "ok"))
        self.assertIn("message 2", peer["last_error"])
        self.retry()
        self.until_acked(3)
        self.assertEqual(self.values(), [1, 2, 3])

    def test_a_receiver_that_takes_nothing_is_not_hammered(self):
        # Well-formed, true and useless: it stands where it stood.
        self.there.prepare(*[Receiver.ack] * 10_000)
        self.send(1)
        peer = self.until_peer("failures", lambda peer: peer["attempts"] >= 3)
        self.assertEqual((peer["state"], peer["pending"]), ("ok", 1))
        with self.there.news:
            self.assertLessEqual(len(self.there.requests), 3 + 10)
            self.there.prepared.clear()
        self.retry()
        self.until_acked(1)

    def test_no_nonce_seals_two_texts_though_the_vat_goes_back_to_an_old_copy(self):
        old = self.vat.scratch / "old"
        self.send("first")
        self.until_acked(1)
        self.vat.stop()
        shutil.copytree(self.vat.dir, old)
        self.vat.start()
        for text in ("second", "third"):
            self.send(text)
        self.until_acked(3)
        self.vat.stop()
        # The whole directory, so that only the receiver can tell.
        shutil.rmtree(self.vat.dir)
        old.rename(self.vat.dir)
        self.vat.start()
        seen = len(SEEN)
        for text in ("another second", "another third"):
            self.send(text)
        self.until_peer("a stop", lambda peer: peer["state"] == "diverged")
        self.vat.run("peer-resync", self.vat.dir, self.there.vat, "--yes")
        # Numbers 2 and 3 were boxed again for other texts; the receiver looks at every nonce it sees.
        self.until_acked(5)
        self.assertFalse(self.there.wrong, self.there.wrong)
        self.assertEqual(self.values(), ["first", "second", "third", "another second", "another third"])
        self.assertGreater(len(SEEN), seen + 2)


if __name__ == "__main__":
    unittest.main()
