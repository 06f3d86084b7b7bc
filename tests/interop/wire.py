"""The protocol between vats, written from its description alone: bytes, boxes, histories.

It shares no code with the daemon, and its boxes are libsodium's.
"""

import base64
import hashlib
import json
import os
import struct
from dataclasses import dataclass, field

from nacl import bindings as sodium

MAGIC = b"QRT1"
MESSAGE, ACK = 1, 2
TIP_0 = bytes(32)


def base32(data):
    return base64.b32encode(data).decode().rstrip("=").lower()


class Key:
    """A vat's key pair."""

    def __init__(self):
        self.public, self.secret = sodium.crypto_box_keypair()

    @property
    def vat(self):
        return base32(self.public)


def public_of(vat):
    return base64.b32decode(vat.upper() + "====")


def nonce(kind, boxer, other, counter, random=None):
    direction = 0 if boxer < other else 1
    random = os.urandom(14) if random is None else random
    return struct.pack(">BB14sQ", kind, direction, random, counter)


@dataclass
class Nonce:
    """What a nonce says."""

    kind: int
    direction: int
    random: bytes
    counter: int

    @classmethod
    def of(cls, data):
        return cls(*struct.unpack(">BB14sQ", data))


def frame(nonce, boxed):
    return struct.pack(">I", len(nonce) + len(boxed)) + nonce + boxed


def seal(key, other, nonce, text):
    return frame(nonce, sodium.crypto_box(text, nonce, other, key.secret))


def tip(before, message_id):
    return hashlib.sha256(before + message_id).digest()


def request(public, *frames, request_id=None):
    request_id = os.urandom(16) if request_id is None else request_id
    return MAGIC + public + request_id + b"".join(frames)


def frames_of(data):
    """The (nonce, box) pairs of what follows a head."""
    found = []
    while data:
        (length,) = struct.unpack(">I", data[:4])
        assert len(data) >= 4 + length, "a frame is cut short"
        found.append((data[4:28], data[28 : 4 + length]))
        data = data[4 + length :]
    return found


@dataclass
class Message:
    """A message frame, opened."""

    nonce: bytes
    boxed: bytes
    id: bytes
    prev: bytes
    json: bytes

    @property
    def number(self):
        return Nonce.of(self.nonce).counter

    @property
    def value(self):
        return json.loads(self.json)


def open_message(key, other, nonce, boxed):
    """The message of a frame, whose kind and direction must be right."""
    said = Nonce.of(nonce)
    assert said.kind == MESSAGE, said
    assert said.direction == (0 if other < key.public else 1), said
    text = sodium.crypto_box_open(boxed, nonce, other, key.secret)
    return Message(nonce, boxed, text[:16], text[16:48], text[48:])


@dataclass
class Ack:
    """An answer's frame, opened."""

    counter: int
    re: bytes
    ack: int
    tip: bytes
    bad: int | None


def open_ack(key, other, body):
    """The ack of an answer of status 200."""
    assert body[:4] == MAGIC and body[4:36] == other, body[:36]
    [(nonce, boxed)] = frames_of(body[36:])
    said = Nonce.of(nonce)
    assert said.kind == ACK and said.direction == (0 if other < key.public else 1), said
    text = json.loads(sodium.crypto_box_open(boxed, nonce, other, key.secret))
    return Ack(said.counter, bytes.fromhex(text["re"]), text["ack"], bytes.fromhex(text["tip"]), text.get("bad"))


def seal_ack(key, other, re, number, at, bad=None, kind=ACK, counter=None):
    text = {"re": re.hex(), "ack": number, "tip": at.hex()}
    if bad is not None:
        text["bad"] = bad
    counter = number if counter is None else counter
    sealed = seal(key, other, nonce(kind, key.public, other, counter), json.dumps(text).encode())
    return MAGIC + key.public + sealed


@dataclass
class Channel:
    """A sender's half of a channel: the frames it has made, and where it stands."""

    key: Key
    other: bytes
    number: int = 0
    tip: bytes = TIP_0
    ids: list = field(default_factory=list)

    def frame(self, value, raw=None, kind=MESSAGE, turned=False, prev=None, number=None):
        """The next message's frame; `raw` instead of JSON, other words than are right on demand."""
        message_id = os.urandom(16)
        number = self.number + 1 if number is None else number
        prev = self.tip if prev is None else prev
        text = message_id + prev + (json.dumps(value).encode() if raw is None else raw)
        made = nonce(kind, self.key.public, self.other, number)
        if turned:
            made = made[:1] + bytes([made[1] ^ 1]) + made[2:]
        self.number, self.tip = number, tip(prev, message_id)
        self.ids.append(message_id)
        return seal(self.key, self.other, made, text)

    def ask(self, *frames, request_id=None):
        return request(self.key.public, *frames, request_id=request_id)
