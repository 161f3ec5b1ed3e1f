"""The flow of a sign-up, and what every refusal becomes."""

import pytest

from app import create_app


def sign_up(client, phone, status=201):
    answer = client.post("/signup", json={"name": "Ada", "phone": phone})
    assert answer.status_code == status, answer.text
    return answer.json


def wrong(code):
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def test_a_person_is_pending_until_the_code_is_typed(client, inbox, phone):
    body = sign_up(client, phone)
    user = body["user"]
    assert user["phone_verified"] is False and user["phone"] == "*" * 7 + phone[-4:]
    assert body["verification"]["status"] == "pending" and body["verification"]["checks_remaining"] == 5
    code = inbox.codes(phone)[-1]
    answer = client.post(f"/users/{user['id']}/verify", json={"code": wrong(code)})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid_code")
    assert client.get(f"/users/{user['id']}").json["user"]["phone_verified"] is False
    answer = client.post(f"/users/{user['id']}/verify", json={"code": f"{code[:3]} {code[3:]}"})
    assert (answer.status_code, answer.json["user"]["phone_verified"]) == (200, True)
    assert client.get(f"/users/{user['id']}").json["user"]["phone_verified"] is True
    # A code is good for one approval.
    answer = client.post(f"/users/{user['id']}/verify", json={"code": code})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "already_approved")


def test_national_spelling_and_no_code_in_our_answers(client, inbox, phone):
    answer = client.post("/signup", json={"name": "Ada", "phone": f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"})
    assert answer.status_code == 201
    assert inbox.codes(phone)[-1] not in answer.text and phone not in answer.text


def test_a_resend_waits_and_repeats_the_code(client, inbox, phone):
    user = sign_up(client, phone)["user"]
    early = client.post(f"/users/{user['id']}/resend")
    assert early.status_code == 429
    error = early.json["error"]
    assert error["code"] == "rate_limited" and error["rate_limit"]["name"] == "resend_delay"
    assert 1 <= int(early.headers["Retry-After"]) == error["rate_limit"]["retry_after"] <= 30
    inbox.advance(30)
    again = client.post(f"/users/{user['id']}/resend")
    assert (again.status_code, again.json["verification"]["sends_remaining"]) == (200, 3)
    first, second = inbox.codes(phone)
    assert first == second


def test_the_limit_of_a_number_is_told_with_its_figures(client, inbox, phone):
    for _ in range(5):
        sign_up(client, phone)
        inbox.advance(600)
    answer = client.post("/signup", json={"name": "Ada", "phone": phone})
    assert answer.status_code == 429
    error = answer.json["error"]
    figures = error["rate_limit"]
    assert (error["code"], figures["limit"], figures["remaining"], figures["window_seconds"]) == ("rate_limited", 5, 0, 3600)
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    inbox.advance(int(answer.headers["Retry-After"]))
    sign_up(client, phone)


def test_five_guesses_and_no_more(client, inbox, phone):
    user = sign_up(client, phone)["user"]
    code = inbox.codes(phone)[-1]
    for _ in range(5):
        assert client.post(f"/users/{user['id']}/verify", json={"code": wrong(code)}).status_code == 400
    answer = client.post(f"/users/{user['id']}/verify", json={"code": code})
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "max_checks_reached")
    assert "Retry-After" in answer.headers
    assert client.get(f"/users/{user['id']}").json["user"]["phone_verified"] is False


def test_an_old_code_is_gone(client, inbox, phone):
    user = sign_up(client, phone)["user"]
    code = inbox.codes(phone)[-1]
    inbox.advance(600)
    answer = client.post(f"/users/{user['id']}/verify", json={"code": code})
    assert (answer.status_code, answer.json["error"]["code"]) == (410, "expired")


@pytest.mark.parametrize(
    "bad, status, code",
    [
        ("+1415555", 422, "invalid_phone_number"),
        ("nonsense", 422, "invalid_phone_number"),
        ("+18005550199", 422, "number_type_not_allowed"),
        ("", 400, "invalid_request"),
        (7, 400, "invalid_request"),
    ],
)
def test_bad_numbers(client, bad, status, code):
    answer = client.post("/signup", json={"name": "Ada", "phone": bad})
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)


def test_a_malformed_guess_costs_nothing(client, inbox, phone):
    user = sign_up(client, phone)["user"]
    for _ in range(9):
        answer = client.post(f"/users/{user['id']}/verify", json={"code": "12a"})
        assert (answer.status_code, answer.json["error"]["code"]) == (422, "invalid_code_format")
    assert client.post(f"/users/{user['id']}/verify", json={"code": inbox.codes(phone)[-1]}).status_code == 200


@pytest.mark.parametrize(
    "outcome, status, code", [("rejected", 422, "undeliverable"), ("unavailable", 503, "sender_unavailable"), ("throttled", 503, "sender_unavailable")]
)
def test_what_the_provider_says_reaches_the_handler(client, inbox, phone, outcome, status, code):
    inbox.script(phone, outcome)
    answer = client.post("/signup", json={"name": "Ada", "phone": phone})
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)
    # Nothing was spent.
    sign_up(client, phone)


def test_a_wrong_key_is_our_mistake_and_says_nothing_outside(verifyd, phone):
    client = create_app({"VERIFYD_URL": verifyd, "VERIFYD_API_KEY": "wrong"}).test_client()
    answer = client.post("/signup", json={"name": "Ada", "phone": phone})
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "unauthorized")


def test_nobody_answering_is_503(phone):
    client = create_app({"VERIFYD_URL": "http://127.0.0.1:9", "VERIFYD_TIMEOUT": 2}).test_client()
    answer = client.post("/signup", json={"name": "Ada", "phone": phone})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert phone not in answer.text


def test_settings_come_from_the_environment_of_flask(monkeypatch):
    monkeypatch.setenv("FLASK_VERIFYD_URL", "http://verifyd.internal:8080")
    monkeypatch.setenv("FLASK_VERIFYD_TIMEOUT", "3")
    config = create_app().config
    assert (config["VERIFYD_URL"], config["VERIFYD_TIMEOUT"]) == ("http://verifyd.internal:8080", 3)


def test_unknown_users_are_404(client):
    assert client.get("/users/7").status_code == 404
    assert client.post("/users/7/resend").json["error"]["code"] == "not_found"
