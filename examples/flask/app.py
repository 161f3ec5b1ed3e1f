"""A small application with a user model and its phone verification, over verifyd's HTTP API.

Sign up with a phone number (pending), type the code (verified), ask for it again (resend). Users live in memory: put your
database where `Users` is. Codes are never seen here.
"""

import dataclasses
import itertools
import threading

from flask import Blueprint, Flask, current_app, jsonify, request

from verifyd_client import SMSError, Verifyd

bp = Blueprint("signup", __name__)


@dataclasses.dataclass
class User:
    """Somebody who signed up. A number counts as theirs only once it is verified."""

    id: int
    name: str
    phone: str
    verification: str
    phone_verified: bool = False

    def public(self):
        """What the browser may see: four digits of the number."""
        return {"id": self.id, "name": self.name, "phone": "*" * 7 + self.phone[-4:], "phone_verified": self.phone_verified}


class Users:
    """The user table."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._users = {}

    def add(self, name, phone, verification):
        with self._lock:
            user = User(next(self._ids), name, phone, verification)
            self._users[user.id] = user
            return user

    def get(self, user_id):
        user = self._users.get(user_id)
        if user is None:
            raise SMSError(404, "not_found", "no such user")
        return user


def create_app(settings=None):
    """The application. `settings` override the environment's (`FLASK_VERIFYD_URL` and so on)."""
    app = Flask(__name__)
    app.config.from_mapping(VERIFYD_URL="http://127.0.0.1:8080", VERIFYD_API_KEY="dev", VERIFYD_TIMEOUT=20)
    app.config.from_prefixed_env()
    app.config.from_mapping(settings or {})
    app.extensions["verifyd"] = Verifyd(app.config["VERIFYD_URL"], str(app.config["VERIFYD_API_KEY"]), app.config["VERIFYD_TIMEOUT"])
    app.extensions["users"] = Users()
    app.register_blueprint(bp)
    app.register_error_handler(SMSError, handle_sms_error)
    return app


def handle_sms_error(error):
    """One shape for every refusal; 429 and 503 say when to come back."""
    if error.status >= 500:
        current_app.logger.error("verification failed: %s (%s)", error.code, error.message)
    body = {"code": error.code, "message": error.message}
    if error.status == 429:
        body["rate_limit"] = {"retry_after": error.retry_after, **error.details}
    response = jsonify(error=body)
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def field(name):
    """A text field of the JSON body."""
    body = request.get_json(silent=True)
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise SMSError(400, "invalid_request", f"{name}: a text is needed")
    return value


def verifyd():
    return current_app.extensions["verifyd"]


def users():
    return current_app.extensions["users"]


def shown(user, verification):
    """The user, and what the page needs to draw its form and its countdown."""
    wanted = ("status", "expires_at", "next_send_at", "checks_remaining", "sends_remaining")
    return {"user": user.public(), "verification": {name: verification[name] for name in wanted}}


@bp.post("/signup")
def sign_up():
    name, phone = field("name"), field("phone")
    verification = verifyd().start(phone, client_ip=request.remote_addr)
    user = users().add(name, verification["to"], verification["id"])
    return shown(user, verification), 201


@bp.post("/users/<int:user_id>/resend")
def resend(user_id):
    user = users().get(user_id)
    return shown(user, verifyd().resend(user.verification, client_ip=request.remote_addr))


@bp.post("/users/<int:user_id>/verify")
def verify(user_id):
    user = users().get(user_id)
    answer = verifyd().check(user.verification, field("code"))
    if not answer["valid"]:
        raise SMSError(400, "invalid_code", "the code is wrong", details={"checks_remaining": answer["checks_remaining"]})
    user.phone_verified = True
    return {"user": user.public()}


@bp.get("/users/<int:user_id>")
def show(user_id):
    return {"user": users().get(user_id).public()}


app = create_app()
