"""A vat that only listens: it takes in what a real one sends, and answers as a test wants."""

import http.server
import threading
from collections import deque
from dataclasses import dataclass

from nacl import bindings as sodium

import wire
from vat import PATIENCE_S

# Every message frame any test has seen: {(sender, receiver, nonce): box}. The tests look at it.
SEEN = {}


@dataclass
class Asked:
    """A request as it came."""

    sender: bytes
    id: bytes
    frames: list
    messages: list
    headers: dict
    port: int


class Receiver:
    """It acknowledges honestly, unless an answer is prepared: `prepare(f)` has `f(self, asked)` answer one
    request, by (status, headers, body), by an Ack to seal, or by None: the connection breaks."""

    def __init__(self):
        self.key = wire.Key()
        self.number, self.tip = 0, wire.TIP_0
        self.got = []
        self.requests = []
        self.wrong = []
        self.prepared = deque()
        self.news = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.handle(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def vat(self):
        return self.key.vat

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, http):
        body = http.rfile.read(int(http.headers["content-length"]))
        with self.news:
            try:
                status, headers, answer = self.answer(http, body)
            except Exception as error:  # Whatever a real vat says that it should not is the test's to see.
                self.wrong.append(error)
                status, headers, answer = 500, {}, b""
            self.news.notify_all()
        if status is None:
            http.close_connection = True
            return
        http.send_response(status)
        for name, value in headers.items():
            http.send_header(name, value)
        http.send_header("content-length", str(len(answer)))
        http.end_headers()
        http.wfile.write(answer)

    def answer(self, http, body):
        assert http.path == "/v1/messages", http.path
        assert http.headers["content-type"] == "application/vnd.qrt.box"
        assert body[:4] == wire.MAGIC and len(body) <= 4 << 20
        sender, request_id = body[4:36], body[36:52]
        frames = wire.frames_of(body[52:])
        assert len(frames) <= 256
        messages = [wire.open_message(self.key, sender, *each) for each in frames]
        for nonce, boxed in frames:
            seen = SEEN.setdefault((sender, self.key.public, nonce), boxed)
            assert seen == boxed, "one nonce has sealed two texts"
        assert request_id not in [asked.id for asked in self.requests], "a request id came twice"
        asked = Asked(sender, request_id, frames, messages, dict(http.headers), http.client_address[1])
        self.requests.append(asked)
        answer = self.prepared.popleft()(self, asked) if self.prepared else self.honest(asked)
        match answer:
            case None:
                return None, {}, b""
            case bytes():
                return 200, {}, answer
            case _:
                return answer

    def take(self, asked):
        """Takes in what follows."""
        for message in asked.messages:
            if message.number <= self.number:
                continue
            if message.number != self.number + 1 or message.prev != self.tip:
                return
            self.number, self.tip = message.number, wire.tip(self.tip, message.id)
            self.got.append(message)

    def ack(self, asked, **other):
        said = {"re": asked.id, "number": self.number, "at": self.tip, **other}
        return wire.seal_ack(self.key, asked.sender, **said)

    def honest(self, asked):
        self.take(asked)
        return self.ack(asked)

    def prepare(self, *answers):
        with self.news:
            self.prepared.extend(answers)

    def until(self, what, holds):
        """Waits until it is so."""
        with self.news:
            assert self.news.wait_for(lambda: self.wrong or holds(self), PATIENCE_S), f"{what} did not come"
            assert not self.wrong, self.wrong
