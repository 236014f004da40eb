"""What a check must know about an audience before anything is planned: counts and slot values, in sets."""

from collections.abc import Iterator, Sequence
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.planning import readers
from dispatcher.ledger.rows import Row
from dispatcher.ledger.sparing import ADDRESS, EVERYBODY, Sparing, Values, lacks_consent, left_out
from dispatcher.model.kinds import Channel

PAGE = 20_000


def reach(
    tx: Tx, version_id: int, channel: Channel, scopes: Sequence[str], sparing: Sparing = EVERYBODY
) -> tuple[int, int, int]:
    """On one channel: people with an address, those of them who get nothing, people without an address."""
    column = ADDRESS[channel]
    row = tx.one(
        f"SELECT count(*) AS everyone, count(r.{column}) AS addressed FROM recipient r WHERE r.version_id = :v",
        v=version_id,
    )
    spared, joins, values = _spared(tx, [channel], scopes, sparing)
    suppressed = tx.scalar(
        f"SELECT count(*) FROM recipient r {joins} WHERE r.version_id = :v AND r.{column} IS NOT NULL AND {spared[0]}",
        v=version_id, **values,
    )  # fmt: skip
    everyone, addressed = (row.everyone, row.addressed) if row is not None else (0, 0)
    return addressed, int(suppressed or 0), everyone - addressed


def people(
    tx: Tx, version_id: int, channels: Sequence[Channel], scopes: Sequence[str], sparing: Sparing = EVERYBODY
) -> int:
    """Distinct people whom at least one of the channels may reach."""
    if not channels:
        return 0
    spared, joins, values = _spared(tx, channels, scopes, sparing)
    tests = [
        f"(r.{ADDRESS[channel]} IS NOT NULL AND NOT {gets_nothing})"
        for channel, gets_nothing in zip(channels, spared, strict=True)
    ]
    sql = f"SELECT count(*) FROM recipient r {joins} WHERE r.version_id = :v AND ({' OR '.join(tests)})"
    return int(tx.scalar(sql, v=version_id, **values) or 0)


def without_consent(tx: Tx, version_id: int, sparing: Sparing) -> int:
    """How many people of an audience version have not agreed to promotion."""
    lacking, values = lacks_consent(tx, sparing)
    found = tx.scalar(f"SELECT count(*) FROM recipient r WHERE r.version_id = :v AND {lacking}", v=version_id, **values)
    return int(found or 0)


def slot_values(
    tx: Tx,
    version_id: int,
    channel: Channel,
    locales: Sequence[str | None],
    names: Sequence[str],
    column: str = "",
    words: Sequence[str | None] = (),
    sparing: Sparing = EVERYBODY,
) -> Iterator[Sequence[Row[Any]]]:
    """Each distinct set of these fields among those people of a channel who read one rendition (`planning.readers`)
    and do not lack consent, with how many have it (`n`) and one of them (`rid`), in pages. The fields come first, in
    the order of `names`; one that is absent is None."""
    pick = "json_extract(r.fields, :{p})" if tx.is_sqlite else "CAST(r.fields AS jsonb) ->> CAST(:{p} AS text)"
    picks = [f"{pick.format(p=f'p{i}')} AS f{i}" for i in range(len(names))]
    values: dict[str, Any] = {f"p{i}": _path(tx, name) for i, name in enumerate(names)}
    among, bound = readers(tx, locales, column, words)
    lacking, field = lacks_consent(tx, sparing)
    values |= bound | field
    group = f" GROUP BY {', '.join(str(i + 1) for i in range(len(names)))}" if names else ""
    sql = (
        f"SELECT {', '.join([*picks, 'count(*) AS n', 'min(r.rid) AS rid'])} FROM recipient r"
        f" WHERE r.version_id = :v AND r.{ADDRESS[channel]} IS NOT NULL AND {among} AND NOT {lacking}{group}"
    )
    yield from tx.stream(sql, v=version_id, **values)


def one_recipient(tx: Tx, version_id: int, address: str) -> Row[Any] | None:
    """The recipient with this email or phone."""
    return tx.one(
        "SELECT rid, email, phone, locale, fields FROM recipient WHERE version_id = :v"
        " AND (lower(email) = lower(:address) OR phone = :address) ORDER BY rid LIMIT 1",
        v=version_id, address=address,
    )  # fmt: skip


def a_reader(
    tx: Tx, version_id: int, channel: Channel, among: tuple[str, Values], sparing: Sparing = EVERYBODY
) -> Row[Any] | None:
    """The first of those with an address on a channel and consent among these readers (`planning.readers`)."""
    where, values = among
    lacking, field = lacks_consent(tx, sparing)
    return tx.one(
        "SELECT r.rid, r.email, r.phone, r.locale, r.fields FROM recipient r"
        f" WHERE r.version_id = :v AND r.{ADDRESS[channel]} IS NOT NULL AND {where} AND NOT {lacking} ORDER BY r.rid"
        " LIMIT 1",
        v=version_id, **values, **field,
    )  # fmt: skip


def telling_recipients(tx: Tx, version_id: int, sparing: Sparing = EVERYBODY) -> list[tuple[str, Row[Any]]]:
    """People who show what can go wrong: the longest values, the emptiest, one that is not Latin; (why, recipient).
    Whoever lacks consent is none of them."""
    lacking, field = lacks_consent(tx, sparing)
    columns = (
        f"SELECT r.rid, r.email, r.phone, r.locale, r.fields FROM recipient r WHERE r.version_id = :v AND NOT {lacking}"
    )
    beyond = "length(CAST(fields AS BLOB))" if tx.is_sqlite else "octet_length(fields)"
    asked = {
        "longest values": f"{columns} ORDER BY length(fields) DESC, rid LIMIT 1",
        "emptiest values": f"{columns} ORDER BY length(fields), rid LIMIT 1",
        "letters beyond Latin": f"{columns} ORDER BY {beyond} - length(fields) DESC, rid LIMIT 1",
    }
    found: dict[int, tuple[str, Row[Any]]] = {}
    for why, sql in asked.items():
        row = tx.one(sql, v=version_id, **field)
        if row is not None:
            found.setdefault(row.rid, (why, row))
    return list(found.values())


def sent_lately(tx: Tx, broadcast_id: int, since: int) -> list[int]:
    """Broadcasts of the same template and with the same facts of their author's to the same audience, released since
    then, the newest first. What their incidents' fact sheets said is not compared."""
    rows = tx.all(
        "SELECT o.id FROM broadcast me JOIN broadcast o ON o.template_id = me.template_id AND o.facts = me.facts"
        " AND o.audience_version_id = me.audience_version_id AND o.mode = me.mode AND o.id <> me.id"
        " WHERE me.id = :b AND o.release_at >= :since ORDER BY o.id DESC",
        b=broadcast_id, since=since,
    )  # fmt: skip
    return [int(row.id) for row in rows]


def told_often(tx: Tx, broadcast_id: int, channel: Channel, since: int, most: int) -> tuple[int, int]:
    """People of a draft's audience who had `most` messages or more on this channel since then, and the most of any.

    Counted by address, over broadcasts of the same mode that were neither promotion nor a test.
    """
    others = (
        "o.mode = me.mode AND o.id <> me.id AND o.purpose <> 'promotional' AND coalesce(o.relation, '') <> 'test'"
        " AND o.release_at >= :since"
    )
    values = {"b": broadcast_id, "since": since}
    if (
        int(tx.scalar(f"SELECT count(*) FROM broadcast me JOIN broadcast o ON {others} WHERE me.id = :b", **values))
        < most
    ):
        return 0, 0
    column = ADDRESS[channel]
    row = tx.one(
        f"SELECT count(*) AS people, max(x.n) AS most FROM (SELECT r.{column} AS address, count(*) AS n"
        f" FROM broadcast me JOIN broadcast o ON {others}"
        " JOIN batch b ON b.broadcast_id = o.id AND b.channel = :channel"
        f" {lookups.deliveries(tx)} {lookups.recipients(tx)}"
        f" WHERE me.id = :b AND d.state IN (3, 4, 5, 6) GROUP BY r.{column} HAVING count(*) >= :most) x"
        f" JOIN recipient mine ON mine.{column} = x.address"
        " WHERE mine.version_id = (SELECT audience_version_id FROM broadcast WHERE id = :b)",
        channel=str(channel), most=most, **values,
    )  # fmt: skip
    return (int(row.people), int(row.most or 0)) if row is not None else (0, 0)


def _path(tx: Tx, name: str) -> str:
    return f'$."{name}"' if tx.is_sqlite else name


def _spared(
    tx: Tx, channels: Sequence[Channel], scopes: Sequence[str], sparing: Sparing
) -> tuple[list[str], str, Values]:
    """For each channel whether recipient `r`, who has an address there, gets nothing; the joins that it needs.

    Joined, as in the plan: PostgreSQL would read a long list of addresses once for each recipient if it were asked
    whether one is in it.
    """
    lacking, values = lacks_consent(tx, sparing)
    joins = []
    for channel in channels:
        column = ADDRESS[channel]
        addresses, more = left_out(tx, channel, scopes, sparing)
        joins.append(f"LEFT JOIN ({addresses}) no_{column} ON no_{column}.address = r.{column}")
        values |= more
    tests = [f"(no_{ADDRESS[channel]}.address IS NOT NULL OR {lacking})" for channel in channels]
    return tests, " ".join(joins), values
