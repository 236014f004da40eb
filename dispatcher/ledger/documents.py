"""Documents of a submitted version: frozen with its renditions, bound by the same digest, exported and never sent."""

import json
from collections.abc import Sequence

from dispatcher.ledger.engine import Tx
from dispatcher.model.rendition import Slot, SlotForm
from dispatcher.model.template import Document


def replace(tx: Tx, broadcast_id: int, documents: Sequence[Document]) -> None:
    """Keep these instead of whatever was kept."""
    tx.change("DELETE FROM document WHERE broadcast_id = :b", b=broadcast_id)
    columns = ("broadcast_id", "name", "locale", "variant", "format", "text", "slots", "sha256")
    tx.insert(
        "document",
        columns,
        [
            (broadcast_id, one.name, one.locale, one.variant, one.format, one.text, _slots(one), one.sha256())
            for one in documents
        ],
    )


def _slots(one: Document) -> str:
    return json.dumps([[s.tag, s.name, s.form, s.default] for s in one.slots], ensure_ascii=False)


def of(tx: Tx, broadcast_id: int) -> list[Document]:
    """The documents of a broadcast, in order."""
    rows = tx.all(
        "SELECT name, locale, variant, format, text, slots FROM document WHERE broadcast_id = :b"
        " ORDER BY name, locale, variant",
        b=broadcast_id,
    )
    return [
        Document(
            row.name, row.locale, row.variant, row.format, row.text,
            tuple(Slot(tag, name, SlotForm(form), default) for tag, name, form, default in json.loads(row.slots)),
        )
        for row in rows
    ]  # fmt: skip
