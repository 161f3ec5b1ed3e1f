#!/usr/bin/env python3
"""Holds `verifyd parse` against Google's libphonenumber, by way of its Python port `phonenumbers`.

Makes inputs from a fixed seed (every region and type in many spellings, mutations, scripts, extensions, random numbers,
garbage), runs the binary once over all of them and compares verdict, E.164 form, region and type. Prints
`N compared, 0 different` and exits 0, or shows the differences and exits 1.

    python3 -m venv .venv && .venv/bin/pip install -r tests/differential/requirements.txt
    .venv/bin/python tests/differential/phone_numbers.py target/release/verifyd [--count 30000] [--seed 20261122]

The package is pinned to the metadata version of the crate `rlibphonenumber` (its README names it): move both together.
Inputs stay within 64 bytes, because verifyd refuses longer ones unparsed.
"""

import argparse
import json
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

MAX_INPUT_BYTES = 64
TYPES = [value for value in PhoneNumberType.values() if value not in (PhoneNumberType.UNKNOWN, PhoneNumberType.FIXED_LINE_OR_MOBILE)]
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
COUNTRY_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
# Zeros of scripts that every Python since 3.9 knows, in and out of the Basic Multilingual Plane.
SCRIPT_ZEROS = [0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
                0x1040, 0x17E0, 0x1810, 0xFF10, 0x104A0, 0x11066, 0x1D7CE, 0x1D7D8]
SEPARATORS = [" ", "-", ".", "/", "(", ")", "[", "]", "~", "*", "\u00a0", "\u00ad", "\u200b", "\u2060", "\u3000", "\u2010",
              "\u2013", "\u2014", "\u2212", "\u30fc", "\uff0d", "\uff0e", "\uff0f", "\uff08", "\uff09", "\u2053", "\u223c"]
INVISIBLE = ["\u200e", "\u200f", "\u202a", "\u202c", "\u2066", "\u2069", "\ufeff", "\u200c", "\u200d", "\u061c"]
EXTENSIONS = [";ext=5", " x5", "x123", " ext. 12", " ext5", "#5", " #77", ",,9", ", 3", ";4", " extn 44", "~5", " int 8", " anexo 3",
              " доб 21", " - 503#", " ｘ5", " extensión 3", "xt5", " x5/x6", "/x302", "/x302/x303",
              "\\ x4", "/  x5 / x6"]
TAILS = ["", "", "", " ", ".", " please", "abc", "!", "?", "\u200e", ")", "#", "x", "*", "a", "\u00e9", ";isub=12", ";isub=1;ext=2",
         ";phone-context=+1", ";phone-context=+49-30", ";phone-context=example.com", ";phone-context=", ";phone-context=1",
         ";phone-context=a.com;tel:", ";npdi"]
HEADS = ["", "", "tel:", "Tel: ", "tel:tel:", "(", "+", "++", "＋", "call ", "\u200e", "\u202a", "\ufeff", "*", "#", "0", "00", "011", "x", "~",
         ";phone-context=+1;tel:", ";phone-context="]


def reference(text, region):
    """What libphonenumber says: (valid, e164, region, type)."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return (False, None, None, None)
    if not phonenumbers.is_valid_number(number):
        return (False, None, None, None)
    return (
        True,
        phonenumbers.format_number(number, PhoneNumberFormat.E164),
        phonenumbers.region_code_for_number(number),
        PhoneNumberType.to_string(phonenumbers.number_type(number)).lower(),
    )


def examples():
    """One number of every region and type, and of every network without a country: (number, region or None)."""
    for region in REGIONS:
        for kind in TYPES:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                yield number, region
        number = phonenumbers.invalid_example_number(region)
        if number is not None:
            yield number, region
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        number = phonenumbers.example_number_for_non_geo_entity(code)
        if number is not None:
            yield number, None


def spellings(number, region, rng):
    """The usual ways to write a number: (text, region hint)."""
    code = str(number.country_code)
    nsn = phonenumbers.national_significant_number(number)
    yield f"+{code}{nsn}", None
    yield f"+{code}{nsn}", rng.choice(REGIONS)
    yield phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL), None
    yield phonenumbers.format_number(number, PhoneNumberFormat.RFC3966), None
    yield phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL), region
    yield phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL), None
    yield nsn, region
    yield nsn, rng.choice(REGIONS)
    yield f"{code}{nsn}", region
    yield f"00{code}{nsn}", region
    yield f"0{nsn}", region
    yield f"+{code}0{nsn}", None
    yield f"+{code}1{nsn}", None
    yield f"+{code}9{nsn}", None
    yield f"+{code} (0) {nsn}", region
    caller = rng.choice(REGIONS)
    yield phonenumbers.format_out_of_country_calling_number(number, caller), caller
    prefix = phonenumbers.ndd_prefix_for_region(region, True) if region else None
    if prefix:
        yield f"{prefix}{nsn}", region
        yield f"+{code}({prefix}){nsn}", region
        yield f"+{code}{prefix}{nsn}", None


def in_script(text, zero):
    return "".join(chr(zero + int(c)) if c in "0123456789" else c for c in text)


def mutate(text, rng):
    """One small change of the text."""
    chars = list(text)
    at = rng.randrange(len(chars) + 1)
    kind = rng.randrange(11)
    if kind == 0 and chars:
        del chars[min(at, len(chars) - 1)]
    elif kind == 1:
        chars.insert(at, rng.choice("0123456789"))
    elif kind == 2 and chars:
        chars[min(at, len(chars) - 1)] = rng.choice("0123456789")
    elif kind == 3:
        chars.insert(at, rng.choice(SEPARATORS))
    elif kind == 4:
        chars.insert(at, rng.choice(INVISIBLE))
    elif kind == 5:
        return text + rng.choice(EXTENSIONS)
    elif kind == 6:
        return rng.choice(HEADS) + text + rng.choice(TAILS)
    elif kind == 7:
        return in_script(text, rng.choice(SCRIPT_ZEROS)).replace("+", rng.choice("+＋"))
    elif kind == 8:
        chars.insert(at, chr(rng.choice(SCRIPT_ZEROS) + rng.randrange(10)))
    elif kind == 9:
        # Letters on the keypad: vanity numbers.
        for at in range(max(0, len(chars) - rng.randrange(1, 8)), len(chars)):
            chars[at] = rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcxyz")
    else:
        return rng.choice(SEPARATORS).join(text[i:i + 3] for i in range(0, len(text), 3))
    return "".join(chars)


def random_number(rng):
    """Digits behind a country code or of a region; about a tenth are valid."""
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(3, 14)))
    if rng.random() < 0.5:
        return f"+{rng.choice(COUNTRY_CODES)}{digits}", rng.choice([None, rng.choice(REGIONS)])
    return digits, rng.choice(REGIONS)


def garbage(rng):
    alphabet = "0123456789+#*x;,()-~ .:/" + "abctelE[]" + "".join(SEPARATORS[10:]) + "".join(INVISIBLE) + "\u00b2\u2460\u4e09🙂"
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(0, 24))), rng.choice([None, rng.choice(REGIONS), "ZZ", "us", "001"])


def inputs(count, seed):
    """`count` different (text, region) pairs, always the same for one seed."""
    rng = random.Random(seed)
    seen = set()
    made = []

    def add(text, region):
        if (text, region) in seen or len(text.encode()) > MAX_INPUT_BYTES or set(text) & set("\n\r\t"):
            return
        seen.add((text, region))
        made.append((text, region))

    base = [pair for number, region in examples() for pair in spellings(number, region, rng)]
    for text, region in rng.sample(base, min(len(base), count // 2)):
        add(text, region)
    while len(made) < count:
        kind = rng.random()
        if kind < 0.6:
            text, region = rng.choice(base)
            for _ in range(rng.choice([1, 1, 2, 3])):
                text = mutate(text, rng)
            add(text, region)
        elif kind < 0.9:
            add(*random_number(rng))
        else:
            add(*garbage(rng))
    return made


def verdicts(binary, pairs):
    """Runs the binary once; one (verdict, reason) for each pair."""
    # The tab is always there, so that no character of a number is taken for one; an empty region means none.
    stdin = "".join(f"{text}\t{region or ''}\n" for text, region in pairs).encode()
    done = subprocess.run([binary, "parse"], input=stdin, stdout=subprocess.PIPE, check=True)
    lines = done.stdout.decode().split("\n")
    if len(lines) != len(pairs) + 1 or lines[-1]:
        sys.exit(f"{len(pairs)} lines in, {len(lines) - 1} out")
    for (text, _), line in zip(pairs, lines):
        answer = json.loads(line)
        if set(answer) != {"input", "valid", "e164", "region", "type", "reason"} or answer["input"] != text:
            sys.exit(f"not an answer to {text!r}: {line}")
        yield (answer["valid"], answer["e164"], answer["region"], answer["type"]), answer["reason"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary", help="path of the built verifyd")
    arguments.add_argument("--count", type=int, default=30_000)
    arguments.add_argument("--seed", type=int, default=20261122)
    options = arguments.parse_args()

    pin = Path(__file__).with_name("requirements.txt").read_text().strip().split("==")[1]
    if phonenumbers.__version__ != pin:
        sys.exit(f"phonenumbers {pin} is needed, {phonenumbers.__version__} is installed")

    pairs = inputs(options.count, options.seed)
    different = valid = 0
    for (text, region), (ours, reason) in zip(pairs, verdicts(options.binary, pairs)):
        theirs = reference(text, region)
        valid += theirs[0]
        if ours != theirs:
            different += 1
            if different <= 50:
                names = " ".join(f"U+{ord(c):04X}:{unicodedata.category(c)}" for c in text if not c.isascii())
                print(f"{text!r} in {region}: verifyd {ours}, libphonenumber {theirs} {names}")
        elif not ours[0] and reason is None:
            different += 1
            print(f"{text!r} in {region}: refused without a reason")
    print(f"{len(pairs)} compared, {different} different ({valid} valid)")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
