"""A `verifyd dev` of its own for the test run, and the application over it."""

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import create_app  # noqa: E402

READY = "verifyd is ready on "


def read_until_ready(stream, found):
    """Reads everything, so that the program never waits for a full pipe; remembers the address."""
    for line in stream:
        if line.startswith(READY) and not found["ready"].is_set():
            found["url"] = line.removeprefix(READY).strip()
            found["ready"].set()


@pytest.fixture(scope="session")
def verifyd(tmp_path_factory):
    """The address of the program, on a free port, with data that go with the run."""
    home = tmp_path_factory.mktemp("verifyd")
    environment = {"VERIFYD_LISTEN": "127.0.0.1:0", "VERIFYD_DATA_DIR": str(home / "data"), "VERIFYD_LOG": "error"}
    child = subprocess.Popen(
        [os.environ["VERIFYD_BINARY"], "dev"], env=environment, cwd=home, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    found = {"ready": threading.Event()}
    reader = threading.Thread(target=read_until_ready, args=(child.stdout, found), daemon=True)
    reader.start()
    try:
        assert found["ready"].wait(timeout=60), "verifyd dev does not get ready"
        yield found["url"]
    finally:
        child.terminate()
        assert child.wait(timeout=60) == 0
        reader.join(timeout=10)


class Inbox:
    """What would have been on the phones."""

    def __init__(self, url):
        self.url = url

    def codes(self, to):
        messages = requests.get(f"{self.url}/inbox/messages", params={"to": to}, timeout=10).json()
        messages = messages if isinstance(messages, list) else messages["messages"]
        return [message["code"] for message in messages]

    def script(self, to, outcome):
        answer = requests.post(f"{self.url}/dev/outcomes", json={"to": to, "outcome": outcome, "times": 1}, timeout=10)
        assert answer.ok, answer.text

    def advance(self, seconds):
        answer = requests.post(f"{self.url}/dev/clock/advance", json={"seconds": seconds}, timeout=10)
        assert answer.ok, answer.text


@pytest.fixture
def inbox(verifyd):
    return Inbox(verifyd)


@pytest.fixture
def client(verifyd):
    app = create_app({"VERIFYD_URL": verifyd, "TESTING": True})
    # Every test is somebody else, or the limit by address would join them.
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = f"198.51.100.{next(ADDRESSES)}"
    return client


@pytest.fixture
def phone():
    """A number that no other test uses."""
    return f"+1415555{next(NUMBERS)}"


ADDRESSES = itertools.count(1)
NUMBERS = itertools.count(2100)
