#!/usr/bin/env python3
"""Holds a running `verifyd dev` against its own OpenAPI document with schemathesis.

First the document itself is held against the schema of OpenAPI 3.1. Then schemathesis calls every operation: examples,
boundaries, random data that the document allows and random data that it forbids, chains of calls along the links; once with a
key that may do everything, once with one that may do nothing of it. Prints how often each operation gave each answer. Exits 0 if
nothing was found and every answer of REACHED was given: a run in which all is refused finds nothing either.

    python3 -m venv .venv && .venv/bin/pip install -r tests/schemathesis/requirements.txt
    .venv/bin/python tests/schemathesis/run.py target/debug/verifyd
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

HERE = Path(__file__).resolve().parent
READY = "verifyd is ready on "
# One key with every scope and one with a scope that no call of the API needs. Two services, so that a name means something.
# One allows nearly everything and one allows nearly nothing: data out of a schema name the same few numbers again and again.
CONFIGURATION = """
[limits]
sends_per_phone_all_services = "100/1h"
failed_checks_per_phone = "100/1h"
[service.default.limits]
sends_per_phone = "100/1h"
sends_per_ip = "1000/1h"
checks_per_verification = 20
sends_per_verification = 20
resend_delays = []
[service.shop]
name = "Shop"
[service.shop.limits]
sends_per_phone = "1/1h"
[[api_keys]]
name = "all"
key = "key-with-every-scope-0001"
scopes = ["verify", "forget", "unlock", "metrics"]
[[api_keys]]
name = "metrics"
key = "key-with-one-scope-00001"
scopes = ["metrics"]
"""
# Numbers that are not among those of hooks.py, so that nothing else ends their verifications.
PENDING = {
    "GET /v1/verifications/{id}": range(2500, 2510),
    "POST /v1/verifications/{id}/cancel": range(2510, 2550),
    "POST /v1/verifications/{id}/resend": range(2550, 2560),
    "POST /v1/verifications/{id}/check": range(2560, 2600),
    # Not that of the document's examples.
    "POST /v1/verifications/check": range(3000, 3200),
}
# (what, key, phases, examples an operation)
RUNS = [
    ("every scope", "key-with-every-scope-0001", "examples,coverage,fuzzing,stateful", 40),
    ("one scope", "key-with-one-scope-00001", "examples,coverage", 10),
]
# (operation, status, what is said of the verification) that the first run must see, or it did not test the service.
REACHED = [
    ("POST /v1/verifications", 201, "pending"),
    ("POST /v1/preview", 200, "replayed"),
    # By id few drawn paths meet a pending verification, and how a guess by id ends is chance: by number both are seen.
    ("POST /v1/verifications/check", 200, "approved"),
    ("POST /v1/verifications/check", 200, "pending"),
    ("POST /v1/verifications/{id}/resend", 200, "pending"),
    ("POST /v1/verifications/{id}/cancel", 200, "canceled"),
    ("GET /v1/verifications/{id}", 200, "pending"),
]


def serve(binary, directory):
    """Starts a server with its own data and returns it with its address."""
    config = Path(directory, "verifyd.toml")
    config.write_text(CONFIGURATION)
    command = [binary, "dev", "--config", str(config), "--listen", "127.0.0.1:0", "--data-dir", str(Path(directory, "data"))]
    log = open(Path(directory, "log.txt"), "w", encoding="utf-8")
    # Nothing of ours in its environment: a variable would change what it is.
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=directory, env={})
    for line in server.stdout:
        if line.startswith(READY):
            return server, line.removeprefix(READY).strip()
    raise SystemExit(f"verifyd did not start: {Path(directory, 'log.txt').read_text()}")


def validate(base):
    with urllib.request.urlopen(f"{base}/openapi.json", timeout=10) as answer:
        document = json.load(answer)
    OpenAPIV31SpecValidator(document).validate()
    print(f"the document is valid OpenAPI {document['openapi']}: {len(document['paths'])} paths")


def start(base, key, to):
    """A pending verification with its code, which `verifyd dev` shows."""
    request = urllib.request.Request(
        f"{base}/v1/verifications",
        data=json.dumps({"to": to}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        started = json.load(answer)
    return {"id": started["id"], "to": started["to"], "code": started["test_code"]}


class Run:
    """Schemathesis at work, with its output and its counts in files of `directory`."""

    def __init__(self, directory, base, pending, what, key, phases, examples):
        self.what = what
        self.output, self.answers = Path(directory, f"{what}.txt"), Path(directory, f"{what}.json")
        program = Path(sys.executable).with_name("schemathesis")
        command = [
            str(program), "--config-file", str(HERE / "schemathesis.toml"), "run", f"{base}/openapi.json",
            "--header", f"Authorization: Bearer {key}", "--phases", phases, "--max-examples", str(examples), "--no-color",
        ]
        ours = {"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "ANSWERS": str(self.answers), "PENDING": json.dumps(pending)}
        with open(self.output, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(command, env={**os.environ, **ours}, cwd=HERE, stdout=output, stderr=output)

    def finish(self):
        """Whether nothing was found, and the counts by (operation, status, what is said of the verification)."""
        clean = self.process.wait() == 0
        print(f"\n== with {self.what}\n{self.output.read_text(encoding='utf-8')}")
        answers = {}
        if self.answers.exists():
            answers = {(*what,): count for *what, count in json.loads(self.answers.read_text())}
        for (operation, status, said), count in sorted(answers.items()):
            print(f"{count:6} × {operation}: {status} {said}".rstrip())
        return clean, answers


def verdict(every, one):
    """What is wrong with the counts: nothing was reached, or a key reached what it may not."""
    wrong = [f"never seen: {each}" for each in REACHED if not every.get(each)]
    # Beyond these the key without a scope may do nothing of the API.
    open_to_it = {f"{operation}: {status}" for operation, status, _ in one if operation.split()[1].startswith("/v1/") and status < 400}
    return wrong + [f"done without the scope: {each}" for each in sorted(open_to_it)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    binary = str(parser.parse_args().binary.resolve())
    with tempfile.TemporaryDirectory() as directory:
        server, base = serve(binary, directory)
        try:
            validate(base)
            # For calls that need one: data out of a schema never hit an id.
            key = RUNS[0][1]
            pending = {operation: [start(base, key, f"+1415555{n}") for n in numbers] for operation, numbers in PENDING.items()}
            # At the same time: what is refused for its scope leaves nothing behind.
            runs = [Run(directory, base, pending, *each) for each in RUNS]
            (clean, every), (also_clean, one) = (each.finish() for each in runs)
            if server.poll() is not None:
                raise SystemExit("verifyd ended during the run")
        finally:
            server.terminate()
            server.wait(timeout=30)
    wrong = verdict(every, one)
    print(*wrong, sep="\n")
    return 0 if clean and also_clean and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
