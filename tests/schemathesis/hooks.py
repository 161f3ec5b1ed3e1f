"""What schemathesis must know beyond the document: what a phone number looks like, and that some bounds count bytes.

It also counts what came of the calls, so that run.py can tell a run that reached everything from one that was refused everywhere.
"""

import atexit
import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

# Numbers that the metadata takes for valid: the range of North America reserved for fiction, and mobiles of other plans.
FICTION = st.integers(min_value=100, max_value=199).map(lambda n: f"+14155550{n}")
ABROAD = st.sampled_from(["+447400123456", "+4915123456789", "+33612345678", "+393123456789", "+819012345678", "00447400123457"])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=64)

schemathesis.openapi.format("phone-number", st.one_of(FICTION, FICTION, ABROAD, TEXT))


def resolved(schema, document):
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def over_bytes(value, schema):
    """Whether a text is short enough in characters, which a schema counts, and too long in bytes, which the rules count."""
    if isinstance(value, str):
        bound = schema.get("x-max-bytes")
        return bound is not None and len(value) <= bound < len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        names = schema.get("propertyNames", {})
        return any(over_bytes(name, names) or over_bytes(item, properties.get(name, others)) for name, item in value.items())
    return False


def repeated_subtag(tag):
    """RFC 5646 §2.2.5 and §2.2.6: no variant and no singleton stands twice in a language tag. A pattern cannot say so."""
    subtags = tag.lower().replace("_", "-").split("-")
    return len(set(subtags)) < len(subtags)


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what a schema allows because no schema can forbid it."""
    body = case.body
    if not isinstance(body, dict):
        return True
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if over_bytes(body, resolved(schema, case.operation.schema.raw_schema)):
        return False
    locale = body.get("locale")
    return not (isinstance(locale, str) and repeated_subtag(locale))


# Pending verifications by operation.
PENDING = json.loads(os.environ["PENDING"])
MADE_UP = re.compile(r"VE[0-9a-f]{32}")
NUMBER = re.compile(r"\+[0-9]{7,15}")
KEY = re.compile(r"[!-~]{1,255}")
# The codes by the ids that the server gave: schemathesis goes on with these, and they must stay as they are.
GIVEN = {}


def digest(case):
    """The same for the same request, in every run."""
    headers = sorted((case.headers or {}).items())
    what = [case.operation.label, case.path_parameters, case.query, case.body, headers]
    return int.from_bytes(hashlib.sha256(repr(what).encode("utf-8", "surrogatepass")).digest()[:4], "big")


def lacks_a_parameter(case):
    """Whether the case is about a parameter that is not sent: changed headers would be sent with it."""
    scenario = getattr(case.meta.phase.data, "scenario", None) if case.meta else None
    return scenario is not None and scenario.name == "MISSING_PARAMETER"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes of data out of a schema a call that can succeed: else nearly all would end at an unknown id, at a key or at a number
    used before. Some parts stay as they were drawn."""
    if lacks_a_parameter(case):
        return
    number = digest(case)
    if number % 8:
        spread_key(case, number)
    if number % 4:
        aim(case, number // 8)


def spread_key(case, number):
    """Makes of the few keys that are drawn one for each request."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{key[:247]}{number:08x}"


# Another digit for each.
WRONG = str.maketrans("0123456789", "1234567890")


def aim(case, number):
    """Puts a pending verification in the place of a made-up one, and its code in the place of most guesses."""
    body = case.body if isinstance(case.body, dict) else {}
    known_number = NUMBER.fullmatch(str(body.get("to")))
    if case.operation.label == "POST /v1/verifications" and known_number:
        # A verification that is pending for a number refuses another purpose: most starts are for numbers of their own.
        body["to"] = f"+1415556{number // 2 % 10_000:04}"
        return
    # Those of an operation are its own: one that cancels or approves leaves the others theirs.
    own = PENDING.get(case.operation.label)
    if not own:
        return
    real = own[number // 4 % len(own)]
    code = real["code"]
    made_up = (case.path_parameters or {}).get("id")
    if made_up in GIVEN:
        code = GIVEN[made_up]
    elif isinstance(made_up, str) and MADE_UP.fullmatch(made_up):
        case.path_parameters["id"] = real["id"]
    elif made_up is None and known_number:
        body["to"] = real["to"]
    else:
        return
    if code and isinstance(body.get("code"), str) and number % 4:
        # One of these guesses in three is wrong, and like a code.
        body["code"] = code if number % 4 > 1 else code.translate(WRONG)


ANSWERS = Counter()


@schemathesis.hook
def after_call(context, case, response):
    """Counts the answer by operation, status and what it says of the verification."""
    said = ""
    if response.status_code < 300 and response.headers.get("content-type", [""])[0].startswith("application/json"):
        body = json.loads(response.content)
        said = body.get("status", "") if isinstance(body, dict) else ""
        if said and "id" in body:
            GIVEN.setdefault(body["id"], body.get("test_code"))
    if "idempotent-replayed" in response.headers:
        said = "replayed"
    ANSWERS[case.operation.label, response.status_code, said] += 1


@atexit.register
def write():
    Path(os.environ["ANSWERS"]).write_text(json.dumps([[*what, count] for what, count in ANSWERS.items()]))
