"""Signs events as the vendors sign theirs, from their published schemes.

SendGrid: ECDSA on P-256 with SHA-256 over the timestamp header followed by the raw body; key as base64 SPKI.
Twilio: HMAC-SHA1 over the full URL followed by each form field's name and value, sorted by name.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MAIL_SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
MAIL_TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
TEXT_SIGNATURE = "X-Twilio-Signature"


class MailSigner:
    """A key of its own for each run of the sandbox."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = base64.b64encode(spki).decode()

    def headers(self, body: bytes, timestamp: int) -> dict[str, str]:
        """The two headers that go with a batch; `timestamp` in seconds since 1970."""
        signed = self._key.sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
        return {MAIL_SIGNATURE: base64.b64encode(signed).decode(), MAIL_TIMESTAMP: str(timestamp)}


def text_signature(token: str, url: str, fields: Mapping[str, str]) -> str:
    """The value of Twilio's signature header."""
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
