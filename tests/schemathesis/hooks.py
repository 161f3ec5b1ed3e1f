"""What schemathesis must know beyond the document: what a phone number looks like, and that some bounds count bytes."""

import json
import os
import re
import zlib

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


PENDING = json.loads(os.environ.get("PENDING", "[]"))
MADE_UP = re.compile(r"VE[0-9a-f]{32}")


def pick(text):
    """One of the pending verifications for three texts of four: the same in every run, and no id for the fourth."""
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    return PENDING[number // 4 % len(PENDING)] if PENDING and number % 4 else None


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts a real id in the place of a made-up one, and its code in the place of every other guess."""
    made_up = (case.path_parameters or {}).get("id")
    if not isinstance(made_up, str) or not MADE_UP.fullmatch(made_up):
        return
    real = pick(made_up)
    if real is None or made_up in {each["id"] for each in PENDING}:
        return
    case.path_parameters["id"] = real["id"]
    if isinstance(case.body, dict) and isinstance(case.body.get("code"), str) and zlib.crc32(made_up.encode()) % 8 > 4:
        case.body["code"] = real["code"]
