"""One sample per incident tool: how its owner would set it up, what it posts, and how it proves a post.

Shapes follow the vendors' documentation; every name, id and word in them is invented here.
"""

import datetime as dt
import hashlib
import hmac
import json
from typing import ClassVar

from dispatcher.intake import tool
from dispatcher.intake.proof import token_hash
from dispatcher.intake.tool import Secret, SecretForm
from dispatcher.model.event import WebhookRequest

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
KEY = "a-key-that-nobody-would-guess-0001"
TOKEN = "a-token-that-nobody-would-guess-0002"


def hexed(message, key=KEY):
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def ago(seconds, base=NOW):
    return base - dt.timedelta(seconds=seconds)


def z(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def ms(at):
    return round(at.timestamp() * 1000)


class Sample:
    """What a tool posts about the incident `ref` at a moment. `prove` gives the headers for a body."""

    name = ""
    settings: ClassVar[dict] = {}
    stamped = False  # a time is signed
    many_signatures = False  # a header may list several
    timed = True  # posts say when it occurred
    private_payload = None

    def opened(self, ref, at):
        raise NotImplementedError

    def resolved(self, ref, at):
        raise NotImplementedError

    def updated(self, ref, at):
        """Something newer or older about a live incident; None where the tool has no such post."""
        return

    def not_resolved(self, ref, at):
        """Posts that must never end an incident."""
        return []

    def without_effect(self):
        """Unknown, test and foreign posts: (payload, headers)."""
        return [({"something": "else"}, {})]

    def extra(self, payload):
        """Headers that say what a payload is."""
        return {}

    def sign(self, body, at, key):
        return {"authorization": f"Bearer {key}"}

    # --- for the suite

    @property
    def cls(self):
        return tool.load(self.name)

    def reader(self, **more):
        kind = self.cls
        return kind(kind.Settings.model_validate({**self.settings, **more}))

    @property
    def form(self):
        return self.cls.forms[0]

    @property
    def value(self):
        return KEY if self.form is SecretForm.KEY else TOKEN

    def secret(self, value=None):
        value = value or self.value
        return Secret(self.form, value.encode() if self.form is SecretForm.KEY else token_hash(value))

    def headers(self, payload, body, at=NOW, value=None):
        return {"content-type": "application/json", **self.extra(payload), **self.sign(body, at, value or self.value)}

    def request(self, payload, at=NOW, value=None, body=None):
        body = body if body is not None else json.dumps(payload).encode()
        url = f"https://alerts.example.com/signals/{self.name}/main"
        return WebhookRequest("POST", url, self.headers(payload, body, at, value), body, at)

    def parse(self, payload, at=NOW, **more):
        return self.reader(**more).parse(self.request(payload, at))
