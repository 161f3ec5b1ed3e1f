#!/usr/bin/env python3
"""Goes through examples/login-form by HTTP, over a real `verifyd dev`, and runs the command lines of docs/guide.md.

    python3 tests/examples/login_form.py target/debug/verifyd

Everything runs on free ports and in a directory of its own; only Python's standard library is used. Ends with 0 if the form
shows what the guide says. Time is moved by the development clock, never waited for.
"""

import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "login-form"
PATIENCE_S = 60
# The tour's number, and one for each scene, so that no scene's limits reach another.
NUMBER, BOMBED, GUESSED, FOREIGN = "+14155552671", "+14155552672", "+14155552673", "+14155552674"


class Program:
    """A child that says in its first line where it answers."""

    def __init__(self, arguments, environment):
        environment = {"PATH": os.environ["PATH"], **environment}
        self.child = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)
        said = self.child.stdout.readline()
        self.base = re.search(r"http://\S+", said).group()

    def stop(self):
        self.child.terminate()
        self.child.wait(PATIENCE_S)
        self.child.stdout.close()


class Api:
    """What a developer sees of `verifyd dev`: the inbox and the clock."""

    def __init__(self, base):
        self.host = urlsplit(base).netloc

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_S)
        headers = {"Content-Type": "application/json", "Authorization": "Bearer dev"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 300, (method, path, answer.status, text)
        return json.loads(text) if text else None

    def messages(self, to):
        listed = self.call("GET", "/inbox/messages?" + urlencode({"to": to}))
        return listed if isinstance(listed, list) else listed["messages"]

    def code(self, to):
        return self.messages(to)[-1]["code"]

    def advance(self, seconds):
        self.call("POST", "/dev/clock/advance", {"seconds": seconds})


class Page(HTMLParser):
    """A page as a person gets it: what is not hidden."""

    VOID = {"meta", "link", "input", "br"}

    def __init__(self, status, headers, text):
        super().__init__()
        self.status, self.headers, self.source = status, headers, text
        self.hidden, self.open, self.shown, self.inputs, self.labels, self.actions, self.all_ids = 0, [], [], {}, set(), [], []
        self.wait = None
        self.feed(text)
        self.text = re.sub(r"\s+", " ", "".join(self.shown)).strip()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.all_ids.append(attributes["id"])
        if tag not in self.VOID:
            self.open.append("hidden" in attributes)
            self.hidden += self.open[-1]
        if self.hidden:
            return
        if tag == "input":
            self.inputs[attributes["name"]] = attributes
        elif tag == "label":
            self.labels.add(attributes["for"])
        elif tag == "form":
            self.actions.append(attributes["action"])
        elif attributes.get("id") == "resend":
            self.wait = int(attributes["data-seconds"])

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            self.hidden -= self.open.pop()

    def handle_data(self, data):
        if not self.hidden:
            self.shown.append(data)


class Browser:
    """Posts forms, follows redirects and keeps one cookie, as a browser does."""

    def __init__(self, base):
        self.base, self.host, self.cookie = base, urlsplit(base).netloc, None

    def request(self, method, path, fields=None, origin=None):
        headers = {"Cookie": self.cookie} if self.cookie else {}
        body = None
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin or self.base}
            body = urlencode(fields or {})
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_S)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if set_cookie := answer.headers["Set-Cookie"]:
            assert "HttpOnly" in set_cookie and "SameSite=Strict" in set_cookie, set_cookie
            self.cookie = set_cookie.split(";")[0]
        if answer.status == 303:
            return self.request("GET", answer.headers["Location"])
        return Page(answer.status, answer.headers, text)

    def get(self):
        return self.request("GET", "/")

    def post(self, path, **fields):
        return self.request("POST", path, fields)


def expect(page, status, *texts):
    assert page.status == status, (page.status, page.text)
    for text in texts:
        assert text in page.text, (text, page.text)
    return page


def wrong(code, by=1):
    """A code of the same length that is not the right one."""
    return f"{(int(code) + by) % 10 ** len(code):0{len(code)}d}"


def the_page_is_what_it_should_be(form, _api):
    page = expect(Browser(form).get(), 200, "Sign in", "Phone number", "Send code")
    assert set(page.inputs) == page.labels == {"phone"} and page.inputs["phone"]["autocomplete"] == "tel"
    assert page.all_ids.count("code") == 1 and len(page.all_ids) == len(set(page.all_ids))
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';") and "unsafe" not in policy, policy
    assert "<script>" not in page.source and "<style" not in page.source and " style=" not in page.source
    assert not re.search(r"\son[a-z]+=", page.source), "an inline handler would be refused by the policy"
    for name in ("page.html", "login.css", "login.js"):
        assert "//" not in re.sub(r"^\s*//.*", "", (EXAMPLE / name).read_text("utf-8"), flags=re.M), f"{name}: an outside asset"
    for path, kind in (("/login.css", "text/css"), ("/login.js", "text/javascript")):
        asset = Browser(form).request("GET", path)
        assert asset.status == 200 and asset.headers["Content-Type"].startswith(kind)
    assert Browser(form).request("GET", "/server.py").status == 404


def a_person_signs_in(form, api):
    browser = Browser(form)
    expect(browser.post("/phone", phone="12"), 422, "This is not a phone number we know. Please check it.", "Send code")
    page = browser.post("/phone", phone='"><script>alert(1)</script>')
    assert "<script>alert" not in expect(page, 422).source and "&lt;script&gt;" in page.source

    page = expect(browser.post("/phone", phone="(415) 555-2671"), 200, "number that ends in 2671")
    code_field = page.inputs["code"]
    assert (code_field["autocomplete"], code_field["inputmode"]) == ("one-time-code", "numeric") and page.labels == {"code"}
    assert 25 <= page.wait <= 30, page.wait
    code = api.code(NUMBER)
    assert code not in page.source and NUMBER not in page.source
    limits = api.call("GET", "/v1/limits?" + urlencode({"to": NUMBER, "client_ip": "127.0.0.1"}))["limits"]
    assert [limit["used"] for limit in limits if limit["name"] == "sends_per_ip"] == [1], limits

    expect(browser.post("/code", code=wrong(code)), 422, "This code is not right. You have 4 tries left.")
    expect(browser.post("/code", code="letters"), 422, "This does not look like the code")
    expect(browser.post("/code", code=wrong(code, 2)), 422, "You have 3 tries left.")
    expect(browser.post("/resend"), 429, "Please wait 30 seconds, then try again.")
    before = browser.cookie
    expect(browser.post("/code", code=f" {code[:3]} {code[3:]} "), 200, f"You are signed in as {NUMBER}.")
    assert browser.cookie != before, "a cookie from before the sign-in must be worth nothing after it"
    old = Browser(form)
    old.cookie = before
    expect(old.get(), 200, "Phone number")
    expect(browser.post("/restart"), 200, "Phone number")


def a_limit_is_told(form, api):
    browser = Browser(form)
    page = expect(browser.post("/phone", phone=BOMBED), 200, "ends in 2672")
    for delay in (30, 60, 120, 300):
        assert delay - 5 <= page.wait <= delay, (delay, page.wait)
        api.advance(delay)
        page = expect(browser.post("/resend"), 200, "ends in 2672")
    codes = {message["code"] for message in api.messages(BOMBED)}
    assert len(api.messages(BOMBED)) == 5 and len(codes) == 1, "a resend repeats the code"
    expect(browser.post("/resend"), 429, "No more codes for now. Please try again in")
    api.advance(90)
    expect(browser.post("/code", code=codes.pop()), 410, "This code is too old. Please ask for a new one.", "Phone number")
    expect(browser.post("/phone", phone=BOMBED), 429, "Please wait 50 minutes, then try again.")
    assert len(api.messages(BOMBED)) == 5


def wrong_codes_end(form, api):
    browser = Browser(form)
    expect(browser.post("/phone", phone=GUESSED), 200)
    code = api.code(GUESSED)
    for left in (4, 3, 2, 1):
        expect(browser.post("/code", code=wrong(code, left)), 422, f"You have {left} tr")
    expect(browser.post("/code", code=wrong(code)), 422, "no try is left", "Phone number")
    expect(browser.post("/code", code=code), 200, "Phone number")
    expect(browser.post("/phone", phone=GUESSED), 429, "Too many wrong codes. Please try again in 10 minutes.")
    assert len(api.messages(GUESSED)) == 1


def another_site_sends_nothing(form, api):
    page = Browser(form).request("POST", "/phone", {"phone": FOREIGN}, origin="https://evil.example")
    assert page.status == 403 and api.messages(FOREIGN) == []


def the_commands_of_the_guide_work(api):
    """Every `curl` of the guide, in order, pasted into a shell; CODE stands for the code."""
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", guide, flags=re.M | re.S)
    commands = [block for block in blocks if block.startswith("curl ")]
    assert len(commands) >= 2, "the guide has lost its commands"
    answers = []
    for command in commands:
        to = re.search(r"\+\d{8,}", command)
        if "CODE" in command:
            command = command.replace("CODE", api.code(to.group()))
        command = command.replace("127.0.0.1:8080", api.host)
        answers.append(json.loads(subprocess.run(["sh", "-c", command], check=True, capture_output=True).stdout))
    assert answers[0]["status"] == "pending" and answers[1]["valid"] is True, answers
    assert all("code" not in answer for answer in answers), answers


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Stands for verifyd: takes every first request and loses the answer."""

    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Idempotency-Key"], body))
        if len(self.seen) % 2 == 1:
            self.close_connection = True
            return
        at = "2026-11-22T12:00:00.000Z"
        answer = {"id": "VE1", "to": NUMBER, "next_send_at": None, "deliveries": [{"at": at}], "status": "pending", "valid": False,
                  "checks_remaining": 4}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments):
        pass


def a_lost_answer_is_asked_for_once_more():
    """Under the same key, so that verifyd does nothing twice; the next action has another."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as forgetful:
        threading.Thread(target=forgetful.serve_forever, daemon=True).start()
        form = start_form(f"http://127.0.0.1:{forgetful.server_address[1]}")
        try:
            browser = Browser(form.base)
            page = expect(browser.post("/phone", phone=NUMBER), 200, "ends in 2671")
            assert page.wait is None, "no further message is allowed, so none is offered"
            expect(browser.post("/code", code="123456"), 422, "You have 4 tries left.")
        finally:
            form.stop()
            forgetful.shutdown()
    start, again, check, check_again = Forgetful.seen
    assert start == again and check == check_again, Forgetful.seen
    assert start[1] and start[1] != check[1], "each action has a key of its own"


def nothing_answers(form, verifyd):
    browser = Browser(form)
    verifyd.stop()
    expect(browser.post("/phone", phone=NUMBER), 503, "This does not work at the moment. Please try again in a minute.")


def start_form(verifyd):
    return Program([sys.executable, EXAMPLE / "server.py"], {"VERIFYD_URL": verifyd, "PORT": "0"})


def main():
    binary = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as home:
        verifyd = Program([binary, "dev"], {"VERIFYD_LISTEN": "127.0.0.1:0", "VERIFYD_DATA_DIR": f"{home}/data", "VERIFYD_LOG": "error"})
        form = None
        try:
            form = start_form(verifyd.base)
            api = Api(verifyd.base)
            the_commands_of_the_guide_work(api)
            scenes = [the_page_is_what_it_should_be, a_person_signs_in, a_limit_is_told, wrong_codes_end, another_site_sends_nothing]
            for scene in scenes:
                scene(form.base, api)
            a_lost_answer_is_asked_for_once_more()
            nothing_answers(form.base, verifyd)
            print(f"{len(scenes) + 3} scenes passed")
        finally:
            for program in (form, verifyd):
                if program is not None and program.child.poll() is None:
                    program.stop()


if __name__ == "__main__":
    main()
