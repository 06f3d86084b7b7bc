#!/usr/bin/env python3
"""A vat in Python, on PyNaCl, against a real one: written from the description of the wire alone
(the module documentation of shared/src/wire.rs and daemon/src/peer/mod.rs), it shares no code with
the daemon. It sends what it should and what it should not, and receives, refuses and lies.

    python3 tests/interop/interop.py [DIRECTORY OF qrt AND qrtd]
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import queue
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

from nacl.bindings import crypto_box, crypto_box_open
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey

MESSAGE, ACK = 1, 2
TYPE = "application/vnd.qrt.box"
PATIENCE_S = 60
SINK = """function (args, power) {
    power.memory.got = power.memory.got || [];
    power.memory.got.push(args);
    if (args && args.reply) args.reply.sendOnly({ had: args });
}"""


def base32(data):
    return base64.b32encode(data).decode().rstrip("=").lower()


def unbase32(text):
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))


class Vat:
    """The real one."""

    def __init__(self, programs, directory):
        self.qrt = str(Path(programs) / "qrt")
        self.dir = str(directory)
        self.run("create-node", self.dir)
        self.run("start", self.dir)
        info = self.json("info", self.dir, "--json")
        self.id, self.key = info["vat"], unbase32(info["vat"])
        self.host, self.port = info["url"].removeprefix("http://").split(":")

    def run(self, *args):
        done = subprocess.run([self.qrt, *args], capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise AssertionError(f"qrt {args}: {done.stderr}")
        return done.stdout.strip()

    def json(self, *args):
        return json.loads(self.run(*args))

    def install(self, name, code):
        file = Path(self.dir).parent / f"{name}.js"
        file.write_text(code)
        return self.run("install", self.dir, str(file), "--name", name)

    def got(self, name):
        return self.json("memory", self.dir, name, "--json").get("got", [])

    def peer(self, vat):
        return next(peer for peer in self.json("peers", self.dir, "--json") if peer["vat"] == vat)

    def post(self, body, content_type=TYPE):
        connection = http.client.HTTPConnection(self.host, int(self.port), timeout=PATIENCE_S)
        connection.request("POST", "/v1/messages", body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()


class Channel:
    """One end of what two vats share: ours."""

    def __init__(self, secret, theirs):
        self.secret, self.theirs = secret, theirs
        self.ours = bytes(secret.public_key)
        self.id = base32(self.ours)
        self.tip, self.number = bytes(32), 0

    def direction(self, boxer):
        other = self.theirs if boxer == self.ours else self.ours
        return 0 if boxer < other else 1

    def nonce(self, kind, direction, number):
        return bytes([kind, direction]) + os.urandom(14) + struct.pack(">Q", number)

    def box(self, nonce, text):
        boxed = crypto_box(text, nonce, self.theirs, bytes(self.secret))
        return struct.pack(">I", len(nonce) + len(boxed)) + nonce + boxed

    def frame(self, value, number=None, prev=None, kind=MESSAGE, direction=None, identity=None):
        """The next message, or one that is wrong in the ways given; advances only for the next."""
        identity = identity or os.urandom(16)
        text = identity + (self.tip if prev is None else prev) + json.dumps(value).encode()
        direction = self.direction(self.ours) if direction is None else direction
        frame = self.box(self.nonce(kind, direction, number or self.number + 1), text)
        if number is None and prev is None and kind == MESSAGE and direction == self.direction(self.ours):
            self.tip = hashlib.sha256(self.tip + identity).digest()
            self.number += 1
        return frame

    def request(self, *frames):
        self.asked = os.urandom(16)
        return b"QRT1" + self.ours + self.asked + b"".join(frames)

    def open(self, frame, kind):
        nonce, boxed = frame[:24], frame[24:]
        assert nonce[0] == kind, f"kind {nonce[0]}"
        assert nonce[1] == self.direction(self.theirs), f"direction {nonce[1]}"
        text = crypto_box_open(boxed, nonce, self.theirs, bytes(self.secret))
        return struct.unpack(">Q", nonce[16:])[0], text

    def ack(self, body):
        """The ack in a response, checked as a sender checks it."""
        assert body[:4] == b"QRT1" and body[4:36] == self.theirs, "another vat answers"
        (length,) = struct.unpack(">I", body[36:40])
        assert len(body) == 40 + length, "one frame and nothing else"
        number, text = self.open(body[40:], ACK)
        ack = json.loads(text)
        assert ack["re"] == self.asked.hex(), "it answers another request"
        assert ack["ack"] == number, "nonce and text agree"
        return ack


class Receiver(http.server.ThreadingHTTPServer):
    """A vat that does as it is told with what comes."""

    def __init__(self, channel):
        super().__init__(("127.0.0.1", 0), Handler)
        self.channel = channel
        self.manners = "accept"
        self.last, self.tip = 0, bytes(32)
        self.frames, self.requests, self.messages = [], [], queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        server, channel = self.server, self.server.channel
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/messages" and self.headers["Content-Type"] == TYPE
        assert body[:4] == b"QRT1" and body[4:36] == channel.theirs
        request, rest, frames = body[36:52], body[52:], []
        while rest:
            (length,) = struct.unpack(">I", rest[:4])
            frames.append(rest[4 : 4 + length])
            rest = rest[4 + length :]
        server.requests.append(request)
        server.frames.append(frames)
        manners = server.manners
        if manners == "refuse":
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if manners == "hang up":
            self.close_connection = True
            return
        if manners == "accept":
            for frame in frames:
                number, text = channel.open(frame, MESSAGE)
                if number == server.last + 1 and text[16:48] == server.tip:
                    server.last, server.tip = number, hashlib.sha256(server.tip + text[:16]).digest()
                    server.messages.put(json.loads(text[48:]))
        ack = {"re": request.hex(), "ack": server.last, "tip": server.tip.hex()}
        ack |= {"wrong re": {"re": bytes(16).hex()}, "too high": {"ack": server.last + 9},
                "wrong tip": {"tip": bytes(32).hex()}, "too low": {"ack": 0, "tip": bytes(32).hex()}}.get(manners, {})
        nonce = channel.nonce(ACK, channel.direction(channel.ours), ack["ack"])
        answer = b"QRT1" + channel.ours + channel.box(nonce, json.dumps(ack).encode())
        self.send_response(200)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def until(what, holds):
    since = time.monotonic()
    while not (found := holds()):
        assert time.monotonic() - since < PATIENCE_S, f"{what} did not come"
        time.sleep(0.02)
    return found


def message(qrid, args, **more):
    return {"to": qrid.rsplit("/", 1)[1], "args": args, **more}


def sends_a_batch_once(vat, sink, channel):
    frames = [channel.frame(message(sink, {"n": n})) for n in range(3)]
    ack = channel.ack(vat.post(channel.request(*frames))[1])
    assert ack["ack"] == 3 and ack["tip"] == channel.tip.hex() and "bad" not in ack, ack
    again = channel.ack(vat.post(channel.request(*frames))[1])
    assert (again["ack"], again["tip"]) == (3, ack["tip"]), "old ones are acknowledged"
    until("three turns", lambda: vat.got("sink") == [{"n": 0}, {"n": 1}, {"n": 2}])


def asks_where_it_stands(vat, sink, channel):
    status, body = vat.post(channel.request())
    assert status == 200 and channel.ack(body)["ack"] == 3


def leaves_a_gap(vat, sink, channel):
    ack = channel.ack(vat.post(channel.request(channel.frame(message(sink, "gap"), number=5)))[1])
    assert ack["ack"] == 3 and ack["tip"] == channel.tip.hex()


def follows_another_history(vat, sink, channel):
    ack = channel.ack(vat.post(channel.request(channel.frame(message(sink, "other"), prev=bytes(32))))[1])
    assert ack["ack"] == 3


def drops_one_as_a_void(vat, sink, channel):
    ack = channel.ack(vat.post(channel.request(channel.frame({"void": "dropped"})))[1])
    assert ack["ack"] == 4 and ack["tip"] == channel.tip.hex()


def says_nothing_that_makes_sense(vat, sink, channel):
    before = vat.json("info", vat.dir, "--json")["faults"]
    frames = [channel.frame(value) for value in ([], {"to": 7}, {"to": base32(bytes(20)), "args": 1})]
    assert channel.ack(vat.post(channel.request(*frames))[1])["ack"] == 7, "authentic, so accepted"
    until("three faults", lambda: vat.json("info", vat.dir, "--json")["faults"] == before + 3)


def spoils_the_second_frame(vat, sink, channel):
    good = channel.frame(message(sink, "good"))
    bad = bytearray(channel.frame(message(sink, "bad"), number=channel.number + 1, prev=channel.tip))
    bad[-1] ^= 1
    ack = channel.ack(vat.post(channel.request(good, bytes(bad)))[1])
    assert (ack["ack"], ack["bad"]) == (8, 1), ack


def spoils_the_first_frame(vat, sink, channel):
    wrong = [
        channel.frame(message(sink, 1), kind=ACK, number=9),
        channel.frame(message(sink, 1), direction=1 - channel.direction(channel.ours), number=9),
        channel.frame(message(sink, 1), number=9)[:-1] + b"x",
    ]
    for frame in wrong:
        frame = struct.pack(">I", len(frame) - 4) + frame[4:]
        status, body = vat.post(channel.request(frame))
        assert (status, body) == (400, b"QRT1" + vat.key), status


def is_malformed(vat, sink, channel):
    good = channel.request(channel.frame(message(sink, 1), number=9))
    for body in (b"", b"QRT2" + good[4:], good[:-1], good[:60], good + b"\0", b"QRT1" + bytes(32) + good[36:]):
        assert vat.post(body)[0] == 400, body[:8]
    try:
        assert vat.post(b"QRT1" + bytes((4 << 20) + 1))[0] == 413
    except OSError:
        pass  # It may have answered and hung up before everything was written.
    assert vat.post(good, "text/plain")[0] in (400, 415)
    assert channel.ack(vat.post(channel.request())[1])["ack"] == 8, "nothing of all that counted"


def gets_an_answer_where_it_says_it_is(vat, sink, channel):
    receiver = Receiver(channel)
    vat.run("peer-add", vat.dir, channel.id, receiver.url)
    own = f"qrt:{channel.id}/{base32(bytes(range(20)))}"
    args = {"reply": {"@qref": own}, "@@note": 1}
    ack = channel.ack(vat.post(channel.request(channel.frame(message(sink, args, at=[receiver.url], cause="x"))))[1])
    assert ack["ack"] == 9
    answer = receiver.messages.get(timeout=PATIENCE_S)
    assert answer["to"] == base32(bytes(range(20))), answer
    came, _, hint = answer["args"]["had"]["reply"].pop("@qref").partition("?at=")
    assert came == own and urllib.parse.unquote(hint) == receiver.url, "the reference, and where its vat was said to be"
    assert answer["args"] == {"had": {"reply": {}, "@@note": 1}}, answer
    assert answer["at"] == [f"http://{vat.host}:{vat.port}"] and answer["cause"], answer
    return receiver


def send(vat, channel, args):
    return vat.run("send", "-d", vat.dir, f"qrt:{channel.id}/{base32(bytes(20))}", json.dumps(args))


def is_refused_and_comes_again_with_the_same_bytes(vat, channel, receiver):
    until("the ack", lambda: vat.peer(channel.id)["pending"] == 0)
    for manners in ("refuse", "hang up"):
        receiver.manners, receiver.frames, receiver.requests = manners, [], []
        send(vat, channel, manners)
        until("two attempts", lambda: len([f for f in receiver.frames if f]) >= 2)
        receiver.manners = "accept"
        assert receiver.messages.get(timeout=PATIENCE_S)["args"] == manners
        frames = [frames for frames in receiver.frames if frames]
        assert all(frame == frames[0] for frame in frames), "the same box at each attempt"
        assert len(set(receiver.requests)) == len(receiver.requests), "and another request id"
        until("the ack", lambda: vat.peer(channel.id)["pending"] == 0)


def is_lied_to(vat, channel, receiver):
    receiver.manners = "wrong re"
    send(vat, channel, "wrong re")
    until("the error", lambda: "another request" in (vat.peer(channel.id)["last_error"] or ""))
    assert vat.peer(channel.id)["state"] == "ok" and vat.peer(channel.id)["pending"] == 1
    for manners, state in (("too high", "diverged"), ("wrong tip", "diverged"), ("too low", "peer-rolled-back")):
        receiver.manners = manners
        vat.run("retry", vat.dir)
        until(state, lambda: vat.peer(channel.id)["state"] == state)
        assert vat.peer(channel.id)["pending"] == 1, "nothing is dropped"
        receiver.manners = "keep"
        vat.run("retry", vat.dir)
        until("ok again", lambda: vat.peer(channel.id)["state"] == "ok")
    receiver.manners = "accept"
    vat.run("retry", vat.dir)
    assert receiver.messages.get(timeout=PATIENCE_S)["args"] == "wrong re"
    until("the ack", lambda: vat.peer(channel.id)["pending"] == 0)


def main():
    programs = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "target/debug"
    scratch = Path(tempfile.mkdtemp(prefix="qrt-interop-"))
    passed = failed = 0
    vat = Vat(programs, scratch / "vat")
    try:
        sink = vat.install("sink", SINK)
        channel = Channel(PrivateKey.generate(), vat.key)
        receiver = None
        for claim in (sends_a_batch_once, asks_where_it_stands, leaves_a_gap, follows_another_history,
                      drops_one_as_a_void, says_nothing_that_makes_sense, spoils_the_second_frame,
                      spoils_the_first_frame, is_malformed, gets_an_answer_where_it_says_it_is,
                      is_refused_and_comes_again_with_the_same_bytes, is_lied_to):
            try:
                receiving = claim in (is_refused_and_comes_again_with_the_same_bytes, is_lied_to)
                told = claim(vat, channel, receiver) if receiving else claim(vat, sink, channel)
                receiver = told or receiver
                passed += 1
                print("ok    ", claim.__name__)
            except (AssertionError, CryptoError, OSError, KeyError, queue.Empty, AttributeError) as error:
                failed += 1
                print("FAILED", claim.__name__, repr(error))
    finally:
        vat.run("stop", vat.dir)
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"interop: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
