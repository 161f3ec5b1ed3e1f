#!/usr/bin/env python3
"""Holds a running `verifyd dev` against its own OpenAPI document with schemathesis.

First the document itself is held against the schema of OpenAPI 3.1. Then schemathesis calls every operation: examples,
boundaries, random data that the document allows and random data that it forbids, chains of calls along the links; once with a
key that may do everything, once with one that may do nothing of it. Exits 0 if nothing was found.

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
CONFIGURATION = """
[service.default]
[service.shop]
name = "Shop"
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
PENDING = [f"+1415555{n:04}" for n in range(2600, 2660)]
# (what, key, phases, examples an operation)
RUNS = [
    ("every scope", "key-with-every-scope-0001", "examples,coverage,fuzzing,stateful", 40),
    ("one scope", "key-with-one-scope-00001", "examples,coverage", 10),
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


def run(base, what, key, phases, examples):
    print(f"\n== with {what}", flush=True)
    program = Path(sys.executable).with_name("schemathesis")
    command = [
        str(program), "--config-file", str(HERE / "schemathesis.toml"), "run", f"{base}/openapi.json",
        "--header", f"Authorization: Bearer {key}", "--phases", phases, "--max-examples", str(examples), "--no-color",
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, cwd=HERE, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    binary = str(parser.parse_args().binary.resolve())
    with tempfile.TemporaryDirectory() as directory:
        server, base = serve(binary, directory)
        try:
            validate(base)
            # For calls that need one: data out of a schema never hit an id.
            pending = [start(base, RUNS[0][1], to) for to in PENDING]
            os.environ["PENDING"] = json.dumps(pending)
            clean = [run(base, *each) for each in RUNS]
            if server.poll() is not None:
                raise SystemExit("verifyd ended during the run")
        finally:
            server.terminate()
            server.wait(timeout=30)
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
