"""A real vat, driven by `qrt`."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = Path(os.environ.get("QRT_PROGRAMS", Path(__file__).parents[2] / "target" / "debug"))
PATIENCE_S = 120

SINK = """function (args, power) {
    const { memory } = power;
    memory.got = memory.got || [];
    memory.got.push(args);
    return memory.got.length;
}"""


class Vat:
    """A vat in a scratch directory; `close` ends it."""

    def __init__(self, **settings):
        self.scratch = Path(tempfile.mkdtemp(prefix="qrt-interop-"))
        self.dir = self.scratch / "vat"
        self.run("create-node", self.dir)
        path = self.dir / "settings.toml"
        text = path.read_text()
        for key, value in settings.items():
            text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            assert count == 1, f"{count} settings are called {key}"
        path.write_text(text)
        self.start()
        info = self.json("info", self.dir)
        self.id, self.url = info["vat"], info["url"]

    def run(self, *args, code=0):
        ran = subprocess.run([PROGRAMS / "qrt", *map(str, args)], capture_output=True, text=True, check=False)
        assert ran.returncode == code, f"qrt {args}: {ran.returncode} {ran.stdout}{ran.stderr}"
        return ran.stdout

    def json(self, *args):
        return json.loads(self.run(*args, "--json"))

    def start(self):
        self.run("start", self.dir)

    def stop(self):
        self.run("stop", self.dir)

    def close(self):
        self.run("stop", self.dir)
        shutil.rmtree(self.scratch)

    def install(self, name, code=SINK):
        """An object; its id."""
        path = self.scratch / f"{name}.js"
        path.write_text(code)
        return self.run("install", self.dir, path, "--name", name).strip().split("/")[1]

    def send(self, to, value):
        """Sends without waiting."""
        self.run("send", "-d", self.dir, to, json.dumps(value))

    def got(self, name):
        return self.json("memory", self.dir, name).get("got", [])

    def peer(self, vat):
        """How it sees the channel with another, if it knows it."""
        return next((peer for peer in self.json("peers", self.dir) if peer["vat"] == vat), None)

    def counters(self):
        """What changes when anything is written."""
        info = self.json("info", self.dir)
        return {key: info[key] for key in ("commit", "turns", "inbox", "outbox", "faults")}

    def until(self, what, look):
        """Asks until it is so; what it then is."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if found := look():
                return found
        raise AssertionError(f"{what} did not come")

    def until_got(self, name, count):
        return self.until(f"{count} messages", lambda: (got := self.got(name)) and len(got) >= count and got)

    def until_peer(self, vat, what, holds):
        return self.until(what, lambda: (peer := self.peer(vat)) and holds(peer) and peer)
