#!/usr/bin/env python3
"""Checks a proof of verifyd in Python: copy `Proofs` into your application.

    python3 -m venv .venv && .venv/bin/pip install -r examples/proofs/requirements.txt
    .venv/bin/python examples/proofs/verify.py --keys http://127.0.0.1:8080/.well-known/jwks.json \
        --issuer http://127.0.0.1:8080 --audience VA... --purpose login --nonce n-1 < proof.txt

Prints the claims and exits with 0, or says on standard error why not and exits with 1. The proof comes by standard input, since
command lines can be read by others on the machine.
"""

import argparse
import json
import sys

import jwt


class Refused(Exception):
    """Not a proof that you asked for. The text is for your log, not for the person."""


class Proofs:
    """Checks proofs of one issuer for one service. Keep it: it caches the keys and fetches them again for a new one."""

    def __init__(self, keys_url, issuer, audience):
        # Cached as long as verifyd allows, and asked again for an unknown key at most every 30 seconds. A key is looked up among
        # these only: `jwk`, `jku` and `x5u` of a header are never followed.
        self._keys = jwt.PyJWKClient(keys_url, lifespan=300, cooldown_duration=30, timeout=5)
        self._issuer = issuer
        self._audience = audience

    def check(self, proof, purpose=None, nonce=None):
        """The claims of a good proof. `purpose` and `nonce` are what you gave at the start of this very verification."""
        try:
            # Before the keys are asked: garbage and other kinds of tokens cause no request.
            header = jwt.get_unverified_header(proof)
            if header.get("typ") != "phone-proof+jwt" or header.get("alg") != "EdDSA":
                raise Refused("not the header of a proof")
            key = self._keys.get_signing_key(header.get("kid"))
            claims = jwt.decode(
                proof,
                key,
                algorithms=["EdDSA"],
                issuer=self._issuer,
                audience=self._audience,
                leeway=5,
                options={"require": ["iss", "aud", "sub", "iat", "exp", "jti", "verification_id"]},
            )
        except jwt.PyJWTError as error:
            raise Refused(str(error)) from error
        for name, expected in (("purpose", purpose), ("nonce", nonce)):
            # Also where none is expected: a proof for one purpose is none for another.
            if claims.get(name) != expected:
                raise Refused(f"another {name}")
        return claims


def main():
    parser = argparse.ArgumentParser(description="Checks a proof that comes by standard input.")
    parser.add_argument("--keys", required=True, metavar="URL", help="where verifyd publishes its keys")
    parser.add_argument("--issuer", required=True, help="proofs.issuer of its configuration")
    parser.add_argument("--audience", required=True, help="the id of your service, VA...")
    parser.add_argument("--purpose", help="as given at the start")
    parser.add_argument("--nonce", help="as given at the start")
    options = parser.parse_args()
    proofs = Proofs(options.keys, options.issuer, options.audience)
    try:
        claims = proofs.check(sys.stdin.read().strip(), options.purpose, options.nonce)
    except Refused as refused:
        sys.exit(f"refused: {refused}")
    print(json.dumps(claims))


if __name__ == "__main__":
    main()
