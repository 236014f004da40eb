"""Who read a message and not yet what followed it: the correction where there is one, else the update."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import broadcasts, reach
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import broadcast_id, broadcast_ref
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.services.context import Context

COLUMNS = ("broadcast", "recipient", "name", "email", "phone", "locale", "read", "followed_by", "stands")
_RELATIONS = ("correction", "update")
_STANDS = {
    reach.NOT_YET: "not told", reach.WAITING: "on its way", reach.PERHAPS: "perhaps told", reach.TOLD: "told",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """People, not deliveries. The four words of `stands` add up to `read` and `perhaps`.

    `relation` is empty where nothing follows the message; then everybody stands as not told.
    """

    ref: str
    relation: str
    followers: tuple[str, ...]
    read: int
    perhaps: int
    stands: Mapping[str, int]

    @property
    def missing(self) -> int:
        """Who has the first word, or may have it, and not provably the later one."""
        return self.read + self.perhaps - self.stands["told"]

    @property
    def words(self) -> str:
        """In one line; empty where nothing follows the message."""
        if not self.relation:
            return ""
        stands = ", ".join(f"{n:,} {word}" for word, n in self.stands.items() if n) or "nobody"
        return f"{', '.join(self.followers)} ({self.relation}): of {self.read + self.perhaps:,} who read it, {stands}"

    def as_dict(self) -> dict[str, Any]:
        """`reach` in `broadcast report --json`."""
        return {
            "ref": self.ref,
            "relation": self.relation or None,
            "followed_by": list(self.followers),
            "read": self.read,
            "perhaps_read": self.perhaps,
            **{word.replace(" ", "_"): n for word, n in self.stands.items()},
            "missing": self.missing,
        }


def of(ctx: Context, ref: str) -> Reach:
    """How far what followed a message has come to the people who read it."""
    with ctx.ledger.read() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref))
        relation, later = _followed(tx, origin.id)
        found = reach.counts(tx, origin.id, later)
    stands = {word: sum(n for (_, far), n in found.items() if far == step) for step, word in _STANDS.items()}
    sure = sum(n for (surely, _), n in found.items() if surely)
    refs = tuple(broadcast_ref(one) for one in later)
    return Reach(origin.ref, relation, refs, sure, sum(found.values()) - sure, stands)


def words(ctx: Context, ref: str) -> str:
    """How far what followed has come, in one line; empty, and nobody counted, where nothing follows."""
    with ctx.ledger.read() as tx:
        relation, _ = _followed(tx, broadcasts.get(tx, broadcast_id(ref)).id)
    return of(ctx, ref).words if relation else ""


def missed(ctx: Context, actor: Person, ref: str) -> Iterator[dict[str, Any]]:
    """Who read it, or may have, and not provably what followed; one row a person."""
    require(actor, Right.EXPORT)
    with ctx.ledger.read() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref))
        _, later = _followed(tx, origin.id)
        rows = [row for page in reach.missed(tx, origin.id, later) for row in page]
    refs = " ".join(broadcast_ref(one) for one in later)
    for row in rows:
        name = (json.loads(row.fields) if row.fields else {}).get("name", "")
        values = (
            origin.ref, row.rid, name, row.email or "", row.phone or "", row.locale or "",
            "yes" if row.sure else "perhaps", refs, _STANDS[int(row.far)],
        )  # fmt: skip
        yield dict(zip(COLUMNS, values, strict=True))


def _followed(tx: Tx, origin: int) -> tuple[str, list[int]]:
    for relation in _RELATIONS:
        if later := reach.followers(tx, origin, relation):
            return relation, later
    return "", []
