#!/usr/bin/env python3
"""Runs the tests of this example against a built program: `python run_tests.py path/to/verifyd`."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["VERIFYD_BINARY"] = str(Path(sys.argv[1]).resolve())
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).resolve().parent / "tests"), *sys.argv[2:]]))
