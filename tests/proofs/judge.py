#!/usr/bin/env python3
"""Judges many proofs with `Proofs` of examples/proofs/verify.py, as an application does: one object, one process.

    judge.py <directory of verify.py> <address of the keys> <issuer> <audience> < cases.json

Reads a list of {"proof", "purpose", "nonce"} and prints a list of the claims or of {"refused": why}. Called by verifiers.py.
"""

import json
import sys

_, directory, keys, issuer, audience = sys.argv
sys.path.insert(0, directory)
import verify  # noqa: E402

proofs = verify.Proofs(keys, issuer, audience)


def judged(case):
    try:
        return {"claims": proofs.check(case["proof"], case["purpose"], case["nonce"])}
    # Nothing else is caught: a verifier that breaks has not judged.
    except verify.Refused as refused:
        return {"refused": str(refused)}


print(json.dumps([judged(case) for case in json.load(sys.stdin)]))
