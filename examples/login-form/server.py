#!/usr/bin/env python3
"""Sign in by text message: one file, Python's standard library, and verifyd behind it.

    verifyd dev                              # in one terminal
    python3 examples/login-form/server.py    # in another; then open http://127.0.0.1:8000

The browser never talks to verifyd and never sees its answers: they are for a server. docs/guide.md explains every part.
"""

import html
import json
import math
import os
import secrets
import time
import uuid
from collections import OrderedDict
from datetime import datetime
from http.client import HTTPException
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Lock
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

VERIFYD_URL = os.environ.get("VERIFYD_URL", "http://127.0.0.1:8080")
VERIFYD_API_KEY = os.environ.get("VERIFYD_API_KEY", "dev")
PORT = int(os.environ.get("PORT", "8000"))

HERE = Path(__file__).parent
PAGE = Template((HERE / "page.html").read_text("utf-8"))
ASSETS = {"/login.css": "text/css; charset=utf-8", "/login.js": "text/javascript; charset=utf-8"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; "
                               "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MAX_BODY_BYTES = 4096
MAX_SESSIONS = 10_000


# --- verifyd ---------------------------------------------------------------------------------------------------------

class Refused(Exception):
    """verifyd said no, or nothing at all: its problem document."""

    def __init__(self, problem):
        super().__init__(problem["code"])
        self.problem = problem


def problem_of(error):
    """The problem document of an HTTP error; a proxy in between may have sent something else."""
    try:
        problem = json.load(error)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) and "code" in problem else {"code": "unreachable"}


def call(path, body):
    """Posts to verifyd. A lost answer is asked for once more under the same key, so that nothing is done twice."""
    headers = {
        "Authorization": f"Bearer {VERIFYD_API_KEY}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    }
    request = Request(VERIFYD_URL + path, json.dumps(body).encode(), headers)
    for last_try in (False, True):
        try:
            # Longer than verifyd's own deadline for a message (send_deadline, 15 s).
            with urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise Refused(problem_of(error)) from error
        except (OSError, HTTPException, ValueError) as error:
            if last_try:
                raise Refused({"code": "unreachable"}) from error


def send_code(phone, client_ip):
    return call("/v1/verifications", {"to": phone, "client_ip": client_ip, "purpose": "login"})


def send_again(verification, client_ip):
    return call(f"/v1/verifications/{verification}/resend", {"client_ip": client_ip})


def check_code(verification, code):
    return call(f"/v1/verifications/{verification}/check", {"code": code})


# --- what people read ------------------------------------------------------------------------------------------------

MESSAGES = {
    "invalid_phone_number": "This is not a phone number we know. Please check it.",
    "number_type_not_allowed": "We cannot send to this kind of number. Please use a mobile number.",
    "country_not_allowed": "We do not send messages to this country.",
    "undeliverable": "No message can be sent to this number. Please use another.",
    "invalid_code_format": "This does not look like the code: it is in the message, digits only.",
    "expired": "This code is too old. Please ask for a new one.",
    "rate_limited": "Please wait {wait}, then try again.",
    "max_sends_reached": "No more codes for now. Please try again in {wait}.",
    "max_checks_reached": "Too many wrong codes. Please try again in {wait}.",
}
OTHERWISE = "This does not work at the moment. Please try again in a minute."
# After these the code is of no use any more: the form begins anew.
OVER = {"expired", "canceled", "already_approved", "not_found", "max_checks_reached"}


def wait_in_words(seconds):
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds > size:
            count = -(-seconds // size)
            return f"{count} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def message_of(problem):
    if problem.get("unlock_required"):
        return "Too many wrong codes. Please contact us."
    text = MESSAGES.get(problem["code"], OTHERWISE)
    return text.format(wait=wait_in_words(problem.get("retry_after_seconds", 60)))


def tries_left(count):
    return f"This code is not right. You have {count} {'try' if count == 1 else 'tries'} left."


def instant(text):
    """A time of verifyd's; before 3.11 Python does not know the Z of RFC 3339."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


# --- sessions --------------------------------------------------------------------------------------------------------

class Session:
    """What the server knows of one browser. In memory: a real application has a place for this already."""

    def __init__(self):
        self.cookie = None
        self.verification = None  # the id, while a code is awaited
        self.last_four = ""
        self.resend_at = None  # by time.monotonic(); None if no further message is allowed
        self.phone = None  # the proven number

    def wait_for_code(self, verification):
        self.verification = verification["id"]
        self.last_four = verification["to"][-4:]
        self.resend_at = None
        if verification["next_send_at"] is not None:
            # The span between two instants of verifyd's own clock: ours may differ.
            span = instant(verification["next_send_at"]) - instant(verification["deliveries"][-1]["at"])
            self.resend_at = time.monotonic() + span.total_seconds()

    def resend_in(self):
        """Whole seconds until another message may be asked for; None if never."""
        return None if self.resend_at is None else max(0, math.ceil(self.resend_at - time.monotonic()))


SESSIONS = OrderedDict()
SESSIONS_LOCK = Lock()


def remember(session):
    """A fresh cookie for the session, always: one from before the sign-in must be worth nothing after it."""
    with SESSIONS_LOCK:
        SESSIONS.pop(session.cookie, None)
        session.cookie = secrets.token_urlsafe(24)
        SESSIONS[session.cookie] = session
        while len(SESSIONS) > MAX_SESSIONS:
            SESSIONS.popitem(last=False)
        return session.cookie


# --- the web ---------------------------------------------------------------------------------------------------------

class Handler(BaseHTTPRequestHandler):
    server_version = "login-form"
    sys_version = ""
    timeout = 30

    def do_GET(self):
        if self.path == "/":
            self.page(200, self.session())
        elif self.path in ASSETS:
            self.answer(200, ASSETS[self.path], (HERE / self.path[1:]).read_bytes())
        else:
            self.answer(404, "text/plain", b"not found\n")

    def do_POST(self):
        steps = {"/phone": self.phone, "/resend": self.resend, "/code": self.code, "/restart": self.restart}
        step, form = steps.get(self.path), self.form()
        if step is None or form is None:
            return self.answer(404 if step is None else 400, "text/plain", b"not understood\n")
        if not self.is_same_origin():
            return self.answer(403, "text/plain", b"posted from another site\n")
        session = self.session()
        try:
            step(session, form)
        except Refused as refused:
            problem = refused.problem
            if problem["code"] in OVER:
                session.verification = None
            status = problem.get("status", 503)
            self.page(status if status in (410, 422, 429) else 503, session, message_of(problem), form.get("phone", ""))

    def phone(self, session, form):
        # Behind a reverse proxy this is the proxy's address: take the person's from the header it sets.
        session.wait_for_code(send_code(form.get("phone", ""), self.client_address[0]))
        self.go_home(session)

    def resend(self, session, _form):
        if session.verification is None:
            return self.go_home(session)
        session.wait_for_code(send_again(session.verification, self.client_address[0]))
        self.go_home(session)

    def code(self, session, form):
        if session.verification is None:
            return self.go_home(session)
        checked = check_code(session.verification, form.get("code", ""))
        if checked["valid"]:
            session.verification, session.phone = None, checked["to"]
            return self.go_home(session)
        if checked["status"] == "pending" and checked["checks_remaining"] > 0:
            return self.page(422, session, tries_left(checked["checks_remaining"]))
        session.verification = None
        self.page(422, session, "This code is not right, and no try is left. Please begin again later.")

    def restart(self, session, _form):
        """Another number, or signed out."""
        session.verification = session.phone = None
        self.go_home(session)

    def form(self):
        """The posted fields, each at most once; None if that is not what was posted."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return None
        try:
            text = self.rfile.read(int(length)).decode()
        except UnicodeDecodeError:
            return None
        fields = parse_qs(text, keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def is_same_origin(self):
        """Browsers name the page's origin with every POST: a form on another site must not send messages at our cost."""
        origin = self.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == self.headers.get("Host")

    def session(self):
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        return SESSIONS.get(cookie.value if cookie else None) or Session()

    def go_home(self, session):
        # Add `; Secure` where the page is served over HTTPS.
        cookie = f"session={remember(session)}; Path=/; HttpOnly; SameSite=Strict"
        self.answer(303, "text/plain", b"", {"Location": "/", "Set-Cookie": cookie})

    def page(self, status, session, error="", phone=""):
        step = "done" if session.phone else "code" if session.verification else "phone"
        hide = {f"hide_{name}": "" if name == step else "hidden" for name in ("phone", "code", "done")}
        wait = session.resend_in()
        text = PAGE.substitute(
            hide,
            hide_error="" if error else "hidden",
            hide_resend="hidden" if wait is None else "",
            error=html.escape(error),
            invalid="true" if error else "false",
            phone=html.escape(phone),
            last_four=html.escape(session.last_four),
            signed_in=html.escape(session.phone or ""),
            resend_in=wait or 0,
        )
        self.answer(status, "text/html; charset=utf-8", text.encode())

    def answer(self, status, content_type, body, more=None):
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": content_type, "Content-Length": len(body), **(more or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """No access log: what is not written down need not be deleted."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print(f"The form is on http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
