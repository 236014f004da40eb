"""One-click unsubscribe: a link that only we can have made, and what happens when somebody follows it.

The link names a delivery and carries a signature over it, because the number of a delivery can be guessed and
nobody may unsubscribe somebody else. The key is the ledger's own, so every host makes and accepts the same links.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

from dispatcher.errors import NotFound
from dispatcher.ledger import meta, suppressions
from dispatcher.log import get
from dispatcher.model.clock import to_ms
from dispatcher.services.context import Context
from dispatcher.services.envelopes import parse_key

_SECRET = "unsubscribe_key"  # noqa: S105 - the name under which the ledger keeps it
_SIGNATURE_BYTES = 15

_log = get(__name__)


def signer(ctx: Context) -> Callable[[str], str]:
    """Makes the token of a link from a delivery's key."""
    secret = _secret(ctx)
    return lambda key: f"{key}.{_signature(secret, key)}"


def accept(ctx: Context, token: str) -> None:
    """The person behind this delivery wants no more promotions. Again and again is fine. Raises NotFound."""
    key, _, signature = token.rpartition(".")
    delivery = parse_key(key)
    expected = _signature(_secret(ctx), key)
    if (
        delivery is None
        or not hmac.compare_digest(signature.encode(), expected.encode())
        or delivery[0] != ctx.ledger_id
    ):
        raise NotFound("This link does not belong to a message of ours.")
    _, broadcast_id, seq = delivery
    with ctx.ledger.write() as tx:
        now = to_ms(ctx.clock.now())
        suppressions.suppress_addresses(tx, [(broadcast_id, seq, "unsubscribed", now)], "one click", now)
    _log.info("unsubscribed", broadcast=broadcast_id)


def _secret(ctx: Context) -> bytes:
    with ctx.ledger.read() as tx:
        found = meta.get(tx, _SECRET)
    if found is None:
        with ctx.ledger.write() as tx:
            found = meta.put_once(tx, _SECRET, secrets.token_hex(32))
    return bytes.fromhex(found)


def _signature(secret: bytes, key: str) -> str:
    """Letters and digits only: it stands in a URL and in a mail header."""
    digest = hmac.digest(secret, key.encode(), hashlib.sha256)[:_SIGNATURE_BYTES]
    return base64.b32encode(digest).decode().lower()
