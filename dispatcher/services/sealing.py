"""Seals what the ledger must keep and nobody may read in a copy of it: keys with which incident tools sign.

AES-GCM with a key that never lies in the ledger: `signals_key` of the settings, else a file beside the anchor, made at
first use. The ledger keeps a mark of the key, so a host with another one says so instead of refusing every post.
"""

import base64
import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dispatcher.errors import ConfigurationError
from dispatcher.ledger import meta
from dispatcher.ledger.engine import Tx
from dispatcher.services.context import Context

_FILE, _MARK = "signals.key", "signals_key_id"
_NONCE_BYTES = 12


def seal_of(tx: Tx) -> str | None:
    """The mark of the key with which this ledger is sealed; None before the first."""
    return meta.get(tx, _MARK)


def sealed(ctx: Context, tx: Tx, label: str, value: str) -> str:
    """The value so that only `opened` with the same label and this site's key gives it back."""
    key = _key(ctx, seal_of(tx), make=True)
    _key(ctx, meta.put_once(tx, _MARK, _mark(key)), make=False)
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, value.encode(), label.encode())).decode()


def opened(ctx: Context, seal: str | None, label: str, kept: str) -> bytes:
    """What was sealed. ConfigurationError if this host cannot."""
    raw = base64.b64decode(kept)
    try:
        return AESGCM(_key(ctx, seal, make=False)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], label.encode())
    except InvalidTag:
        raise ConfigurationError("A sealed key cannot be opened.", why="It was changed in the ledger.") from None


def _mark(key: bytes) -> str:
    return hashlib.sha256(b"mark\0" + key).hexdigest()[:16]


def _key(ctx: Context, seal: str | None, *, make: bool) -> bytes:
    given = ctx.settings.signals_key.get_secret_value().encode()
    path = ctx.settings.anchor.path.parent / _FILE
    if not given and not path.exists() and (seal or not make):
        raise _no_key("The file with it is not on this host.", path)
    key = hashlib.sha256(b"signals\0" + (given or _of_file(path))).digest()
    if seal and _mark(key) != seal:
        raise _no_key("This host has another one than the ledger was sealed with.", path)
    return key


def _no_key(why: str, path: Path) -> ConfigurationError:
    return ConfigurationError(
        "The key that seals the secrets of incident tools is not at hand.",
        why=why,
        mend=("Set DISPATCHER_SIGNALS_KEY to the same text on every host,", f"or copy {path} from the first host."),
        code="E-CFG-SEAL",
    )


def _of_file(path: Path) -> bytes:
    """The content of the file. One that is missing is made for its owner alone, whole or not at all."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(whole, path)
        whole.unlink()
    return path.read_bytes().strip()
