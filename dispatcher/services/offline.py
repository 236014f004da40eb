"""A copy for the day on which nothing of ours runs: addresses, texts and call sheet in one file under a passphrase.

The file is in the age format (https://age-encryption.org/v1), which other programs open as well. Nothing of it touches
a disk in the clear.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from dispatcher.compose.preview.frames import plain
from dispatcher.compose.rendering import Composed
from dispatcher.errors import Refused
from dispatcher.ledger import broadcasts, contacts
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.services import marketing, papers
from dispatcher.services.context import Context
from dispatcher.tables import writing

SHORTEST = 12
"""Characters of a passphrase at least: whoever finds the file has all the time there is to guess."""
_COLUMNS = ("recipient", "name", "email", "phone", "locale", "may_mail", "may_call")
_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Call sheet</title><style>'
    "@page { size: A4 landscape; margin: 12mm; } body { font: 11pt/1.4 Arial, sans-serif; }"
    " pre { white-space: pre-wrap; font: inherit; border: 1px solid #767f88; padding: 6pt; }"
    " table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; }"
    " th, td { border: 1px solid #767f88; padding: 4pt; text-align: left; } tr { break-inside: avoid; }"
    " .box { width: 12%; }</style></head><body>"
)


def export(ctx: Context, actor: Person, ref: str, folder: Path, passphrase: str) -> Path:
    """Write `REF-offline.zip.age` and a page that tells how to open it; the path of the former."""
    require(actor, Right.EXPORT)
    if len(passphrase) < SHORTEST:
        raise Refused(f"The passphrase has fewer than {SHORTEST} characters.", mend="Take four words or more.")
    broadcast, _, said = papers.read(ctx, ref)
    whole = _zipped(ctx, broadcast, said)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{broadcast.ref}-offline.zip.age"
    _write_private(target, sealed(whole, passphrase))
    (folder / "HOW-TO-OPEN.txt").write_text(_how(target.name), encoding="utf-8")
    with ctx.ledger.write() as tx:
        now = to_ms(ctx.clock.now())
        broadcasts.note_act(
            tx, "exported offline", now, person_id=actor.id, broadcast_id=broadcast.id, detail=target.name
        )
    return target


def sealed(content: bytes, passphrase: str) -> bytes:
    """The content under a passphrase, in the age format."""
    from pyrage import passphrase as age

    made: bytes = age.encrypt(content, passphrase)
    return made


def unseal(file: Path, folder: Path, passphrase: str) -> list[str]:
    """Open such a file into a folder for its owner alone; the names of what came out."""
    import pyrage

    try:
        content: bytes = pyrage.passphrase.decrypt(file.read_bytes(), passphrase)
    except pyrage.DecryptError:
        raise Refused(
            f"{file} cannot be opened.",
            why="The passphrase is another one, or the file is damaged.",
            mend="Type the passphrase again, or take another copy of the file.",
            code="E-SEAL",
        ) from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            _write_private(folder / Path(name).name, archive.read(name))
        return [Path(name).name for name in archive.namelist()]


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)


def _how(name: str) -> str:
    return (
        f"{name} holds addresses, texts and a call sheet, closed by a passphrase that is kept elsewhere.\n\n"
        f"With this program:  dispatcher broadcast unseal {name} --into FOLDER\n"
        f"With age or rage:   age --decrypt --output offline.zip {name}\n\n"
        "Print call-sheet.html, and delete what you opened when it is over.\n"
    )


def _zipped(ctx: Context, broadcast: Broadcast, said: Composed) -> bytes:
    """All of it as one archive, in memory."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*_texts(said), *papers.texts(broadcast, said)):
            archive.writestr(name, content)
        with ctx.ledger.read() as tx:
            archive.writestr("addresses.csv", _addresses(ctx, tx, broadcast))
            archive.writestr("call-sheet.html", _call_sheet(ctx, tx, broadcast, said))
    return made.getvalue()


def _texts(said: Composed) -> Iterator[tuple[str, bytes]]:
    for one in said.renditions:
        variant = f"+{one.variant}" if one.variant else ""
        yield f"{one.channel}.{one.locale}{variant}.txt", plain(one).encode()


def _people(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Row[Any]]:
    scopes, spared = marketing.scopes(broadcast.purpose), marketing.sparing(ctx, tx, broadcast)
    if broadcast.audience_version_id is not None:
        for page in contacts.pages(tx, broadcast.audience_version_id, scopes, spared):
            yield from page


def _name(row: Row[Any]) -> str:
    fields = json.loads(row.fields) if row.fields else {}
    return str(fields.get("name") or fields.get("first_name") or "")


def _addresses(ctx: Context, tx: Tx, broadcast: Broadcast) -> str:
    """Everybody, also those who may not be written to: `may_mail` and `may_call` say so."""
    out = io.StringIO(newline="")
    rows = (
        {
            "recipient": row.rid, "name": _name(row), "email": row.email, "phone": row.phone, "locale": row.locale,
            "may_mail": "no" if row.no_email else "yes", "may_call": "no" if row.no_phone else "yes",
        }
        for row in _people(ctx, tx, broadcast)
    )  # fmt: skip
    writing.write(out, _COLUMNS, rows)
    return out.getvalue()


def _call_sheet(ctx: Context, tx: Tx, broadcast: Broadcast, said: Composed) -> str:
    """What to say on the telephone, then whom to call, with room to write down what came of it. Opens and prints
    anywhere."""
    rows = (
        f"<tr><td>{escape(_name(row))}</td><td>{escape(row.phone)}</td><td>{escape(row.locale or '')}</td>"
        '<td class="box"></td><td class="box"></td><td class="box"></td></tr>'
        for row in _people(ctx, tx, broadcast)
        if row.phone and not row.no_phone
    )
    heads = ("Name", "Number", "Language", "Called at", "Reached", "Note")
    head = "".join(f'<th scope="col">{word}</th>' for word in heads)
    scripts = "".join(f"<h2>{escape(where)}</h2><pre>{escape(text)}</pre>" for where, text in _scripts(said))
    return (
        f"{_HEAD}<h1>{escape(broadcast.ref)} {escape(broadcast.title)}</h1>{scripts}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></body></html>\n"
    )


def _scripts(said: Composed) -> list[tuple[str, str]]:
    """The telephone script where there is one, else the text message, in each language."""
    spoken = [(f"Say this ({one.locale})", one.text) for one in said.documents if one.name in ("phone", "script")]
    texts = [(f"Say this ({one.locale})", plain(one)) for one in said.renditions if one.channel == "sms"]
    return spoken or texts
