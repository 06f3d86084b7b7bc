"""What a real vat does with the requests of a sender that is not one of ours."""

import contextlib
import http.client
import os
import struct
import unittest

import wire
from receiver import Receiver
from vat import Vat

BOX = {"content-type": "application/vnd.qrt.box"}


class Sending(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vat = Vat(private_addresses="true")
        cls.public = wire.public_of(cls.vat.id)

    @classmethod
    def tearDownClass(cls):
        cls.vat.close()

    def setUp(self):
        # A sink and a channel of its own for each test.
        self.name = self.id().rsplit(".", 1)[1].replace("_", "-").lower()[:60]
        self.sink = self.vat.install(self.name)
        self.channel = wire.Channel(wire.Key(), self.public)

    def post(self, body, headers=BOX, path="/v1/messages", method="POST"):
        connection = http.client.HTTPConnection(self.vat.url.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path, body, headers)
        except ConnectionError:
            # It refused before it had read everything; what it said is there all the same.
            pass
        with contextlib.closing(connection), connection.getresponse() as answer:
            return answer.status, answer.read()

    def ack(self, *frames):
        """The ack of a request, which must answer it."""
        request_id = os.urandom(16)
        status, body = self.post(self.channel.ask(*frames, request_id=request_id))
        self.assertEqual(status, 200)
        ack = wire.open_ack(self.channel.key, self.public, body)
        self.assertEqual(ack.re, request_id)
        self.assertEqual(ack.counter, ack.ack)
        return ack

    def message(self, value, **other):
        return self.channel.frame({"to": self.sink, "args": value}, **other)

    def stands(self, ack, number, tip=None, bad=None):
        self.assertEqual((ack.ack, ack.tip, ack.bad), (number, self.channel.tip if tip is None else tip, bad))

    def test_a_message_is_acknowledged_and_run(self):
        self.stands(self.ack(self.message({"hello": [1, 2.5, None, "\u00fc"]})), 1)
        self.assertEqual(self.vat.until_got(self.name, 1), [{"hello": [1, 2.5, None, "\u00fc"]}])

    def test_a_full_batch_arrives_in_order_and_one_more_is_too_many(self):
        frames = [self.message(n) for n in range(256)]
        status, body = self.post(self.channel.ask(*frames, frames[0]))
        self.assertEqual((status, body), (413, wire.MAGIC + self.public))
        self.stands(self.ack(*frames), 256)
        self.assertEqual(self.vat.until_got(self.name, 256), list(range(256)))

    def test_the_largest_args_are_taken(self):
        text = "x" * ((1 << 20) - 2)
        self.stands(self.ack(self.message(text)), 1)
        self.assertEqual(len(self.vat.until_got(self.name, 1)[0]), len(text))

    def test_what_is_sent_again_is_acknowledged_again_and_runs_once(self):
        first, second = self.message(1), self.message(2)
        at_first = wire.tip(wire.TIP_0, self.channel.ids[0])
        self.stands(self.ack(first), 1, at_first)
        self.stands(self.ack(first), 1, at_first)
        self.stands(self.ack(first, second), 2)
        self.stands(self.ack(first, second), 2)
        self.stands(self.ack(self.message(3)), 3)
        self.assertEqual(self.vat.until_got(self.name, 3), [1, 2, 3])

    def test_a_gap_is_not_accepted_nor_what_follows_it(self):
        self.stands(self.ack(self.message(1)), 1)
        tip = self.channel.tip
        _missing, third, fourth = (self.message(n) for n in (2, 3, 4))
        self.stands(self.ack(third, fourth), 1, tip)
        self.assertEqual(self.vat.until_got(self.name, 1), [1])
        self.assertEqual(self.vat.peer(self.channel.key.vat)["last_in"], 1)

    def test_a_message_on_another_history_is_not_accepted(self):
        self.stands(self.ack(self.message(1)), 1)
        tip = self.channel.tip
        self.stands(self.ack(self.message("wrong", prev=os.urandom(32))), 1, tip)
        # The right one still is.
        self.channel.number, self.channel.tip = 1, tip
        self.stands(self.ack(self.message("right")), 2)
        self.assertEqual(self.vat.until_got(self.name, 2), [1, "right"])

    def test_a_void_takes_its_number_and_runs_nothing(self):
        frames = self.message(1), self.channel.frame({"void": "a mistake"}), self.message(3)
        self.stands(self.ack(*frames), 3)
        self.assertEqual(self.vat.until_got(self.name, 2), [1, 3])

    def test_a_bad_frame_ends_its_request_and_what_stood_before_it_stays(self):
        first, second, third = (self.message(n) for n in (1, 2, 3))
        at_first = wire.tip(wire.TIP_0, self.channel.ids[0])
        broken = second[:-1] + bytes([second[-1] ^ 1])
        self.stands(self.ack(first, broken, third), 1, at_first, bad=1)
        # Old ones are opened too.
        status, body = self.post(self.channel.ask(first[:-1] + bytes([first[-1] ^ 1]), second))
        self.assertEqual((status, body), (400, wire.MAGIC + self.public))
        self.stands(self.ack(first, second, third), 3)
        self.assertEqual(self.vat.until_got(self.name, 3), [1, 2, 3])

    def test_kind_and_direction_are_checked_before_the_number(self):
        wrong = [{"kind": wire.ACK}, {"turned": True}, {"kind": 3}, {"kind": wire.ACK, "number": 0}]
        for other in wrong:
            channel = self.channel = wire.Channel(wire.Key(), self.public)
            status, body = self.post(channel.ask(self.message("never", **other)))
            self.assertEqual((status, body), (400, wire.MAGIC + self.public), other)
            self.assertIsNone(self.vat.peer(channel.key.vat), "nobody was met")
        self.channel = wire.Channel(wire.Key(), self.public)
        first = self.message(1)
        at_first = self.channel.tip
        self.stands(self.ack(first, self.message("never", turned=True)), 1, at_first, bad=1)
        self.assertEqual(self.vat.until_got(self.name, 1), [1])

    def test_a_question_is_answered_and_changes_nothing(self):
        before = self.vat.counters()
        self.stands(self.ack(), 0)
        self.assertEqual(self.vat.counters(), before)
        self.assertIsNone(self.vat.peer(self.channel.key.vat))
        self.stands(self.ack(self.message(1)), 1)
        self.vat.until_got(self.name, 1)
        before = self.vat.counters()
        self.stands(self.ack(), 1)
        self.assertEqual(self.vat.counters(), before)

    def test_what_is_malformed_is_refused_and_changes_nothing(self):
        good = self.message(1)
        public = self.channel.key.public
        cases = {
            "nothing": (b"", 400),
            "other magic": (b"QRT2" + self.channel.ask(good)[4:], 400),
            "a cut head": (self.channel.ask()[:51], 400),
            "a cut length": (self.channel.ask(good, b"\0\0\0"), 400),
            "a cut frame": (self.channel.ask(good[:-1]), 400),
            "something behind": (self.channel.ask(good, b"x"), 400),
            "a frame of 87 bytes": (self.channel.ask(struct.pack(">I", 87) + bytes(87)), 400),
            "a frame that says it is endless": (self.channel.ask(b"\xff\xff\xff\xff" + bytes(88)), 400),
            "our own key": (wire.request(self.public, good), 400),
            "another's key": (wire.request(wire.Key().public, good), 400),
            "a key of low order": (wire.request(bytes(32), good), 400),
            "a key that is not canonical": (wire.request((2**255 - 18).to_bytes(32, "little"), good), 400),
            "a key with its highest bit set": (wire.request(public[:31] + bytes([public[31] | 128]), good), 400),
            "too large": (self.channel.ask(bytes(4 << 20)), 413),
        }
        before = self.vat.counters()
        for what, (body, expected) in cases.items():
            with self.subTest(what):
                status, answer = self.post(body)
                self.assertEqual(status, expected)
                self.assertIn(answer, (b"", wire.MAGIC + self.public))
        self.assertEqual(self.post(self.channel.ask(good), headers={"content-type": "text/plain"})[0], 415)
        self.assertEqual(self.post(b"", path="/")[0], 404)
        self.assertEqual(self.post(b"", method="PUT")[0], 405)
        self.assertEqual(self.vat.counters(), before)
        self.stands(self.ack(good), 1)

    def test_what_means_nothing_is_accepted_and_becomes_a_fault_with_its_head(self):
        unknown = wire.base32(os.urandom(20))
        deep = b'{"to":"%s","args":%s}' % (self.sink.encode(), b"[" * 200 + b"]" * 200)
        meaningless = [
            b"",
            b"not JSON",
            b"\xff\xfe",
            b"[]",
            b'{"args":1}',
            b'{"to":"%s","args":{"@what":1}}' % self.sink.encode(),
            b'{"to":"%s","args":9007199254740993}' % self.sink.encode(),
            b'{"to":"%s","args":"%s"}' % (unknown.encode(), b"y" * 1000),
            deep,
        ]
        frames = [self.channel.frame(None, raw=raw) for raw in meaningless]
        self.stands(self.ack(*frames, self.message("goes on")), len(meaningless) + 1)
        self.assertEqual(self.vat.until_got(self.name, 1), ["goes on"])
        faults = [
            fault for fault in self.vat.json("faults", self.vat.dir) if fault["source"] == self.channel.key.vat
        ]
        self.assertEqual(len(faults), len(meaningless))
        for fault, raw in zip(faults, meaningless, strict=True):
            self.assertEqual(fault["head"], raw[:256].decode(errors="replace"))
            self.assertIsNone(fault["args"])

    def test_an_answer_goes_where_the_sender_says_it_is(self):
        here = Receiver()
        self.addCleanup(here.close)
        self.channel.key = here.key
        code = "function (args) { args.reply.sendOnly({ got: args.n, again: args.reply, me: args.me }); }"
        echo = self.vat.install(f"{self.name}-echo", code)
        mine, self_ref = wire.base32(os.urandom(20)), f"qrt:{self.vat.id}/{echo}"
        args = {"n": 7, "reply": {"@qref": f"qrt:{here.vat}/{mine}"}, "me": {"@qref": self_ref}}
        self.stands(self.ack(self.channel.frame({"to": echo, "args": args, "at": [here.url], "new": "field"})), 1)
        here.until("an answer", lambda here: here.got)
        [message] = here.got
        self.assertEqual((message.number, message.prev), (1, wire.TIP_0))
        value = message.value
        self.assertEqual(value["to"], mine)
        self.assertEqual(value["args"]["got"], 7)
        self.assertEqual(value["args"]["me"], {"@qref": self_ref})
        self.assertTrue(value["args"]["again"]["@qref"].startswith(f"qrt:{here.vat}/{mine}"))
        self.assertEqual(value["at"], [self.vat.url])
        self.assertLessEqual(len(value["cause"]), 128)


if __name__ == "__main__":
    unittest.main()
