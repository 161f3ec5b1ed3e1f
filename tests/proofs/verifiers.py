#!/usr/bin/env python3
"""Holds the verifiers of `examples/proofs` (Python, Node, Rust) against good proofs and every forgery we know of.

Starts the built `verifyd dev` with a known master key, gets a proof from it as an application does, and derives the key that
signs from the master key: so a forged proof differs from a good one in one thing alone, and is refused for that. Prints
`N proofs, V verifiers, all judged rightly` and exits with 0, or shows what was judged wrongly and exits with 1.

    cargo xtask test --only proofs
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples" / "proofs"
MASTER_KEY = bytes(range(32))
PERIOD_SECONDS = 30 * 24 * 3600
ISSUER = "https://verify.example.com"
NUMBER = "+14155552671"
PURPOSE, NONCE = "login", "n-0S6_WzA2Mj"
PATIENCE_SECONDS = 60
# What every verifier is asked as a user asks it, through its command line.
BY_COMMAND = ("as it came", "expired", "a changed signature", "nothing", "a purpose where none was given", "at the end")
READY = re.compile(r"verifyd is ready on (http://\S+)")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def jwk(key):
    """The public key of `key` with its thumbprint (RFC 7638)."""
    x = b64(public(key))
    thumbprint = hashlib.sha256(('{"crv":"Ed25519","kty":"OKP","x":"%s"}' % x).encode()).digest()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": b64(thumbprint), "use": "sig", "alg": "EdDSA"}


def signing_key(instant):
    """What verifyd signs with at `instant`: the head of crates/core/src/proof/keys.rs says how it derives."""
    root = HKDF(hashes.SHA256(), 32, None, b"verifyd/1/proof").derive(MASTER_KEY)
    period = int(instant) // PERIOD_SECONDS
    seed = hmac.digest(root, b"verifyd/1/proof-period" + period.to_bytes(8, "big"), "sha256")
    return Ed25519PrivateKey.from_private_bytes(seed)


def token(header, claims, sign):
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


@contextmanager
def server(verifyd):
    """The address of a `verifyd dev` with our master key."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            "VERIFYD_DATA_DIR": directory,
            "VERIFYD_LISTEN": "127.0.0.1:0",
            "VERIFYD_STORE": "memory",
            "VERIFYD_KEYS": f"test:{base64.b64encode(MASTER_KEY).decode()}",
            "VERIFYD_PROOFS__ISSUER": ISSUER,
        }
        with open(Path(directory) / "log", "w+", encoding="utf-8") as log:
            process = subprocess.Popen(
                [verifyd, "dev"], env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=log, text=True
            )
            try:
                # The pipe ends with the process, so a server that does not start is not waited for.
                found = next((match for line in process.stdout if (match := READY.search(line))), None)
                if found is None:
                    log.seek(0)
                    sys.exit(f"verifyd does not start: {log.read()}")
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield found.group(1)
            finally:
                process.terminate()
                process.wait(PATIENCE_SECONDS)


@contextmanager
def strangers_keys(keys):
    """A server that publishes `keys`: its address, and the paths that it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": keys}).encode())

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", asked
        listening.shutdown()


def call(base, path, body=None):
    headers = {"authorization": "Bearer dev", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def approve(base):
    """A whole verification: its service, its id and its proof."""
    started = call(base, "/v1/verifications", {"to": NUMBER, "purpose": PURPOSE, "nonce": NONCE})
    checked = call(base, f"/v1/verifications/{started['id']}/check", {"code": started["test_code"]})
    return started["service"], started["id"], checked["proof"]


def parts_of(proof):
    def read(part):
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    header, claims, signature = proof.split(".")
    return read(header), read(claims), signature


def forgeries(proof, key, strangers_url, stranger):
    """Proofs that no verifier may take: what is wrong with each, the text, and what is asked of it besides."""
    header, claims, signature = parts_of(proof)
    first, second, _ = proof.split(".")
    own, foreign = jwk(key), jwk(stranger)

    def signed(changed_header=None, changed_claims=None, by=key):
        whole = {**claims, **(changed_claims or {})}
        top = {**header, **(changed_header or {})}
        drop = lambda fields: {name: value for name, value in fields.items() if value is not None}
        return token(drop(top), drop(whole), by.sign)

    def hs256(secret):
        return token({**header, "alg": "HS256"}, claims, lambda text: hmac.digest(secret, text, "sha256"))

    now = int(time.time())
    yield "expired", signed(changed_claims={"iat": now - 400, "exp": now - 100})
    yield "without an end", signed(changed_claims={"exp": None})
    yield "another audience", signed(changed_claims={"aud": "VA" + "0" * 32})
    yield "no audience", signed(changed_claims={"aud": None})
    yield "another issuer", signed(changed_claims={"iss": ISSUER + "/"})
    yield "no issuer", signed(changed_claims={"iss": None})
    yield "no subject", signed(changed_claims={"sub": None})
    yield "another purpose", signed(changed_claims={"purpose": "payment"})
    yield "no purpose", signed(changed_claims={"purpose": None})
    yield "another nonce", signed(changed_claims={"nonce": NONCE + "x"})
    yield "no nonce", signed(changed_claims={"nonce": None})
    yield "a changed subject", f"{first}.{b64(json.dumps({**claims, 'sub': '+14155550100'}).encode())}.{signature}"
    yield "a changed signature", f"{first}.{second}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    yield "a short signature", proof[:-4]
    yield "no signature", f"{first}.{second}."
    for name in ("none", "None", "NONE", "nOnE"):
        yield f"the algorithm {name}", token({**header, "alg": name}, claims, lambda _text: b"")
        yield f"{name} with a good signature", signed({"alg": name})
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield "HS256 by the public key", hs256(public(key))
    yield "HS256 by the public key's text", hs256(own["x"].encode())
    yield "HS256 by the public key in PEM", hs256(pem)
    yield "HS256 by the published key", hs256(json.dumps(own).encode())
    yield "HS256 by nothing", hs256(b"")
    yield "another algorithm over a good signature", signed({"alg": "ES256"})
    yield "no algorithm", signed({"alg": None})
    yield "a stranger's key", signed({"kid": foreign["kid"]}, by=stranger)
    yield "a stranger's key under our name", signed(by=stranger)
    for kid in ("../../x", "../../../../../dev/null", "' OR '1'='1", "", "x" * 10_000, "\u0000"):
        yield f"the key {kid[:20]!r}", signed({"kid": kid})
        yield f"a stranger's key as {kid[:20]!r}", signed({"kid": kid}, by=stranger)
    yield "a key that is a number", signed({"kid": 7})
    yield "no key", signed({"kid": None})
    yield "a stranger's jwk", signed({"kid": foreign["kid"], "jwk": foreign}, by=stranger)
    yield "a stranger's jwk under our name", signed({"jwk": foreign}, by=stranger)
    yield "a stranger's jwk alone", signed({"kid": None, "jwk": foreign}, by=stranger)
    for name in ("jku", "x5u"):
        address = f"{strangers_url}/{name}"
        yield f"a stranger's {name}", signed({"kid": foreign["kid"], name: address}, by=stranger)
        yield f"a stranger's {name} under our name", signed({name: address}, by=stranger)
    for typ in ("JWT", "at+jwt", "phone-proof", "", None):
        yield f"the type {typ!r}", signed({"typ": typ})
    yield "a text without dots", "proof"
    yield "one dot", f"{first}.{second}"
    yield "four parts", f"{proof}.{signature}"
    yield "nothing", ""
    yield "dots alone", ".."
    yield "no header", f".{second}.{signature}"
    yield "a header that is no JSON", f"{b64(b'{')}.{second}.{signature}"
    yield "a header that is a list", f"{b64(b'[]')}.{second}.{signature}"
    yield "padding", f"{first}==.{second}.{signature}"
    yield "a space within", f"{first}. {second}.{signature}"
    yield "another script", "\u0435yJ" + proof[3:]
    yield "an endless text", "a" * 1_000_000


def controls(proof, key):
    """Proofs that every verifier must take: else the refusals would mean nothing."""
    header, claims, _ = parts_of(proof)
    yield "as it came", proof
    yield "made by hand", token(header, claims, key.sign)
    now = int(time.time())
    yield "seconds before its end", token(header, {**claims, "iat": now - 290, "exp": now + 30}, key.sign)


class Case(NamedTuple):
    """A proof, what is asked of it, and whether a verifier must take it."""

    what: str
    proof: str
    good: bool = False
    purpose: str | None = PURPOSE
    nonce: str | None = NONCE


def cases(proof, key, strangers_url, stranger):
    for what, text in controls(proof, key):
        yield Case(what, text, good=True)
    for what, text in forgeries(proof, key, strangers_url, stranger):
        yield Case(what, text)
    for name in ("purpose", "nonce"):
        yield Case(f"a {name} where none was given", proof)._replace(**{name: None})
        yield Case(f"another {name} than was given", proof)._replace(**{name: "other"})
    # At the end again: what was refused was not refused because the keys could not be had.
    yield Case("at the end", proof, good=True)


def run(command, text):
    return subprocess.run(
        command, input=text, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_SECONDS, check=False
    )


def by_command(command, keys_url, service, case):
    """What the verifier's own command line says of one proof: nothing if it judges rightly."""
    options = ["--keys", keys_url, "--issuer", ISSUER, "--audience", service]
    for name, value in (("--purpose", case.purpose), ("--nonce", case.nonce)):
        options += [] if value is None else [name, value]
    ended = run([*command, *options], case.proof)
    if case.good:
        right = ended.returncode == 0 and json.loads(ended.stdout) == parts_of(case.proof)[1]
    else:
        # A verifier that breaks has not judged: a refusal is said in one line.
        said = ended.stderr.startswith("refused: ") and ended.stderr.count("\n") == 1
        right = ended.returncode == 1 and not ended.stdout and said
    return [] if right else [f"misjudged by command ({case.what}): {ended.returncode} {ended.stdout}{ended.stderr}"]


def in_one_process(judge, keys_url, service, judged):
    """What a program that imports the verifier says of many proofs: nothing if it judges all rightly."""
    asked = [{"proof": case.proof, "purpose": case.purpose, "nonce": case.nonce} for case in judged]
    ended = run([*judge, keys_url, ISSUER, service], json.dumps(asked))
    if ended.returncode != 0:
        return [f"breaks: {ended.stderr}"]
    answers = json.loads(ended.stdout)
    if len(answers) != len(judged):
        return [f"{len(answers)} answers to {len(judged)} proofs"]
    wrong = []
    for case, answer in zip(judged, answers):
        right = answer == {"claims": parts_of(case.proof)[1]} if case.good else [*answer] == ["refused"]
        wrong += [] if right else [f"misjudged ({case.what}): {answer}"]
    return wrong


def judgements(verifiers, keys_url, service, every):
    """What all verifiers judge wrongly."""
    work = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for language, (command, judge) in verifiers.items():
            jobs = []
            if judge:
                jobs.append(pool.submit(in_one_process, judge, keys_url, service, every))
            # A process each is dear where an interpreter starts: there the command line shows that it is one.
            alone = [case for case in every if not judge or case.what in BY_COMMAND]
            jobs += [pool.submit(by_command, command, keys_url, service, case) for case in alone]
            work[language] = jobs
        return [f"{language} {what}" for language, jobs in work.items() for job in jobs for what in job.result()]


def main():
    verifyd, node = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    # Node finds packages beside the module.
    shutil.copy(EXAMPLES / "verify.mjs", node / "verify.mjs")
    rust = verifyd.parent / "examples" / "verify_proof"
    # The command line of each; and the program that judges many proofs in one process, where a process is dear to start.
    verifiers = {
        "Python": ([sys.executable, str(EXAMPLES / "verify.py")], [sys.executable, str(HERE / "judge.py"), str(EXAMPLES)]),
        "Node": (["node", str(node / "verify.mjs")], ["node", str(HERE / "judge.mjs"), str(node / "verify.mjs")]),
        "Rust": ([str(rust)], None),
    }
    # No proxy of the machine stands between programs on it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    stranger = Ed25519PrivateKey.generate()
    with server(verifyd) as base, strangers_keys([jwk(stranger)]) as (strangers_url, asked):
        service, verification, proof = approve(base)
        keys_url = f"{base}/.well-known/jwks.json"
        key = signing_key(parts_of(proof)[1]["iat"])
        published = call(base, "/.well-known/jwks.json")["keys"]
        if jwk(key) not in published:
            sys.exit(f"the signing key does not derive as is written: {published}")
        if parts_of(proof)[1]["verification_id"] != verification:
            sys.exit("the proof is for another verification")
        every = list(cases(proof, key, strangers_url, stranger))
        wrong = judgements(verifiers, keys_url, service, every)
        if asked:
            wrong.append(f"a verifier asked a stranger for keys: {asked}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(every)} proofs, {len(verifiers)} verifiers, all judged rightly")


if __name__ == "__main__":
    main()
