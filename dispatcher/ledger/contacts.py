"""The people of an audience with their addresses, for a copy that is kept away from this machine."""

from collections.abc import Iterator, Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.ledger.sparing import EVERYBODY, Sparing, Values, lacks_consent, left_out
from dispatcher.model.kinds import Channel

PAGE = 5_000


def pages(
    tx: Tx, version_id: int, scopes: Sequence[str] = ("all",), sparing: Sparing = EVERYBODY
) -> Iterator[Sequence[Row[Any]]]:
    """Every recipient by id, a page at a time, from one statement: who is left out is found once for all of them."""
    chosen, values = _chosen(tx, scopes, sparing)
    return tx.stream(f"{chosen} ORDER BY r.rid", v=version_id, after=0, **values)


def page(
    tx: Tx, version_id: int, scopes: Sequence[str], sparing: Sparing, *, after: int, most: int = PAGE
) -> Sequence[Row[Any]]:
    """The recipients next to that one, for whoever takes too long over a page to keep a transaction open."""
    chosen, values = _chosen(tx, scopes, sparing)
    return tx.all(f"{chosen} ORDER BY r.rid LIMIT :page", v=version_id, after=after, page=most, **values)


def _chosen(tx: Tx, scopes: Sequence[str], sparing: Sparing) -> tuple[str, Values]:
    """The recipients after that one, each with whether they get no mail and no text: SQL and its values."""
    mail, values = left_out(tx, Channel.EMAIL, scopes, sparing)
    text, more = left_out(tx, Channel.SMS, scopes, sparing)
    lacking, field = lacks_consent(tx, sparing)
    chosen = (
        "SELECT r.rid, r.email, r.phone, r.locale, r.fields,"
        f" CASE WHEN e.address IS NOT NULL OR {lacking} THEN 1 ELSE 0 END AS no_email,"
        f" CASE WHEN p.address IS NOT NULL OR {lacking} THEN 1 ELSE 0 END AS no_phone FROM recipient r"
        f" LEFT JOIN ({mail}) e ON e.address = r.email LEFT JOIN ({text}) p ON p.address = r.phone"
        " WHERE r.version_id = :v AND r.rid > :after"
    )
    return chosen, values | more | field
