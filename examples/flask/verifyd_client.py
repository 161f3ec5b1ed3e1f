"""The calls of verifyd's HTTP API that an application needs, and one exception for everything it refuses.

No rule lives here: verifyd counts, limits and compares. What is kept by the application is the id of a verification.
"""

import requests


class SMSError(Exception):
    """verifyd refused or could not answer.

    `status` is the HTTP status for our own caller, `code` the stable word of the problem document, `retry_after` whole
    seconds if trying again can help, `details` what else the document says (limit, remaining, reset_at, ...).
    """

    def __init__(self, status, code, message, retry_after=None, details=None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.details = details or {}

    @classmethod
    def from_response(cls, response):
        """From an RFC 9457 document; anything else is an answer that verifyd never gives."""
        if response.headers.get("Content-Type") != "application/problem+json":
            return cls(502, "bad_gateway", "the verification service gave an unexpected answer")
        problem = response.json()
        known = {"type", "title", "status", "code", "detail", "retry_after_seconds"}
        details = {name: value for name, value in problem.items() if name not in known}
        # Our key or our rights: a mistake of ours, which is no business of the person who signs up.
        status = 500 if response.status_code in (401, 403) and problem["code"] in ("unauthorized", "forbidden") else response.status_code
        return cls(status, problem["code"], problem["detail"], problem.get("retry_after_seconds"), details)


class Verifyd:
    """A client with one connection pool; share it between requests."""

    def __init__(self, url, api_key, timeout):
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_key}"
        # The environment's proxies are for the outside world, and ~/.netrc must not replace our key.
        self._session.trust_env = False

    def start(self, to, client_ip=None):
        """Sends a code to `to`, or again if a verification of the number is pending."""
        return self._post("/v1/verifications", {"to": to, "client_ip": client_ip})

    def resend(self, verification, client_ip=None):
        """Sends the same code again."""
        return self._post(f"/v1/verifications/{verification}/resend", {"client_ip": client_ip})

    def check(self, verification, code):
        """Counts and compares a guess."""
        return self._post(f"/v1/verifications/{verification}/check", {"code": code})

    def limits(self, to):
        """How the limits of a number stand; nothing is spent."""
        return self._answer("GET", "/v1/limits", params={"to": to})

    def _post(self, path, body):
        return self._answer("POST", path, json={name: value for name, value in body.items() if value is not None})

    def _answer(self, method, path, **arguments):
        try:
            response = self._session.request(method, self._url + path, timeout=self._timeout, allow_redirects=False, **arguments)
        except requests.RequestException as error:
            # Without the error's text: it holds the address and may hold the number.
            raise SMSError(503, "unavailable", "the verification service cannot be reached", retry_after=5) from error
        if response.status_code not in (200, 201):
            raise SMSError.from_response(response)
        return response.json()
