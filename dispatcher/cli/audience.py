"""`dispatcher audience`: lists of people, read as a whole, confirmed by their number, kept as versions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import is_terminal, number, pairs, plain_value, printable, say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import ConfirmationWrong, UsageError

if TYPE_CHECKING:
    from dispatcher.services.audiences import Imported, ImportReport

_SHOWN = 20
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def mapping_of(words: Sequence[str]) -> Mapping[str, str]:
    """`COL=FIELD` words; the last `=` counts, since a column's name may hold one."""
    found = {}
    for word in words:
        column, equals, name = word.rpartition("=")
        if not (equals and column and name):
            raise UsageError(f"--map {word!r} is not COLUMN=FIELD.", mend='Like --map "Mobile no."=phone')
        found[column] = name
    return found


@click.command("import", cls=Verb)
@click.argument("file", type=_FILE)
@click.option("--into", required=True, metavar="NAME", help="The audience; a new version of it is made.")
@click.option("--region", default="", metavar="GB", help="Country of numbers without a country code.")
@click.option("--map", "mapping", multiple=True, metavar="COL=FIELD", help="What a column is; FIELD may be ignore.")
@click.option("--sheet", default="", help="Which sheet of a workbook.")
@click.option("--encoding", default="", help="If the file does not say.")
@click.option("--leave-out-bad", is_flag=True, help="Import without the cells that cannot be read.")
@click.option("--confirm-rows", type=click.IntRange(min=0), metavar="N", help="How many rows you expect.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be imported.")
@pass_session
def import_file(
    session: Session,
    /,
    file: Path,
    into: str,
    mapping: Sequence[str],
    confirm_rows: int | None,
    dry_run: bool,
    **how: Any,
) -> None:
    """Import a CSV or XLSX of people: all of it or nothing."""
    from dispatcher.services import audiences

    ctx = session.ctx
    actor = None if dry_run else acting(session)
    with audiences.prepared(ctx, file, mapping=mapping_of(mapping), **how) as found:
        _tell_report(session, found.report)
        if actor is None:
            show(session, _report_dict(found.report), "Nothing was imported: this was a dry run.")
            return
        if found.report.error_count and not how["leave_out_bad"] and session.json:
            show(session, _report_dict(found.report), "")
        rows = found.report.rows if found.report.error_count else _confirmed(session, found.report.rows, confirm_rows)
        made = audiences.store(ctx, actor, found, into, rows=rows)
        show(session, _made_dict(found.report, made), lambda: _made_words(made))


def _confirmed(session: Session, rows: int, given: int | None) -> int:
    """The number of rows that a person expects. In a script without one, the number that was shown stands."""
    if given is not None or session.json or not is_terminal():
        return rows if given is None else given
    answer: str = click.prompt(
        f"Type the number of rows to import ({number(rows)} were read)", err=True, default="", show_default=False
    )
    digits = answer.replace(",", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit()):
        raise ConfirmationWrong("That is no number; nothing was imported.", mend=f"--confirm-rows {rows}")
    return int(digits)


def _tell_report(session: Session, report: "ImportReport") -> None:
    from dispatcher.services import audiences

    columns = ", ".join(f"{printable(column)} is {printable(name)}" for column, name in report.columns.items())
    facts = {
        "file": f"{report.source} ({report.form}), {number(report.rows)} rows",
        "columns": columns,
        "people": f"{number(report.recipients)}: email {number(report.with_email)}, phone {number(report.with_phone)}",
    }
    say(session, pairs(facts))
    if report.nowhere:
        say(session, f"! {number(report.nowhere)} have no address at all.")
    for repeat in report.repeats[:_SHOWN]:
        say(session, f"! line {repeat.line}: the {repeat.column} of line {repeat.first_line} again; told once.")
    if report.repeat_count > _SHOWN:
        say(session, f"! and {number(report.repeat_count - _SHOWN)} more repeats")
    for line in audiences.first_errors(report, _SHOWN):
        say(session, f"✖ {printable(line)}")


def _report_dict(report: "ImportReport") -> dict[str, Any]:
    plain: dict[str, Any] = plain_value(report)
    reasons = [{"column": column, "why": why, "count": count} for (column, why), count in report.reasons.items()]
    return plain | {"reasons": reasons}


def _made_dict(report: "ImportReport", made: "Imported") -> dict[str, Any]:
    told = {
        "audience": made.version.name,
        "version": made.version.number,
        "size": made.version.size,
        "unchanged": made.unchanged,
        "suppressed": dict(made.suppressed),
    }
    return told | _report_dict(report)


def _made_words(made: "Imported") -> str:
    suppressed = ", ".join(f"{channel} {number(count)}" for channel, count in made.suppressed.items() if count)
    state = "is unchanged" if made.unchanged else "is imported"
    words = f"{made.version.name}, version {made.version.number}, {state}: {number(made.version.size)} people."
    return words + (f" Suppressed among them: {suppressed}." if suppressed else "")


def _version_dict(version: Any) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.number,
        "size": version.size,
        "fields": list(version.fields),
        "source": version.source,
        "region": version.region,
        "created_at": version.created_at,
    }


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """The newest version of every audience."""
    from dispatcher.services import audiences

    found = [_version_dict(one) for one in audiences.listing(session.ctx)]
    rows = [[a["name"], a["version"], a["size"], a["source"], f"{a['created_at']:%Y-%m-%d %H:%M}"] for a in found]
    none = "No audience yet. Begin with: dispatcher audience import FILE --into NAME"
    words = table(["name", "version", "people", "from", "imported (UTC)"], rows) if rows else none
    show(session, {"audiences": found}, words)


@click.command("show", cls=Verb)
@click.argument("name")
@click.option("--sample", type=click.IntRange(0, 100), default=5, show_default=True, help="How many people to show.")
@pass_session
def look(session: Session, name: str, sample: int) -> None:
    """One audience: whom it reaches, by which channel, in which languages; its first few people, masked."""
    from dispatcher.services import audiences

    view = audiences.show(session.ctx, name, sample=sample)
    people = [
        {"name": one.name, "locale": one.locale, **{channel: masked(a) for channel, a in one.addresses.items()}}
        for one in view.sample
    ]
    reach = {"email": view.reach.email, "phone": view.reach.phone, "nowhere": view.reach.nowhere}
    plain = {
        **_version_dict(view.version),
        "reach": reach,
        "locales": dict(view.reach.locales),
        "suppressed": dict(view.suppressed),
        "versions": [_version_dict(one) for one in view.versions],
        "sample": people,
    }
    show(session, plain, lambda: _view_words(plain))


def _view_words(plain: dict[str, Any]) -> str:
    locales = ", ".join(f"{locale or 'none'} {number(count)}" for locale, count in plain["locales"].items())
    suppressed = ", ".join(f"{channel} {number(count)}" for channel, count in plain["suppressed"].items() if count)
    facts = {
        "audience": f"{plain['name']}, version {plain['version']}, {number(plain['size'])} people",
        "reach": ", ".join(f"{word} {number(count)}" for word, count in plain["reach"].items()),
        "suppressed": suppressed or "nobody",
        "locales": locales,
        "fields": ", ".join(plain["fields"]) or "none",
        "from": plain["source"],
    }
    rows = [[one["name"], one["locale"], one.get("email", ""), one.get("sms", "")] for one in plain["sample"]]
    people = table(["name", "locale", "email", "phone"], rows) if rows else ""
    return "\n\n".join(filter(None, (pairs(facts), people)))


def masked(address: str) -> str:
    """Enough to recognise, too little to write to: `a…@example.com`, `+4477…456`."""
    if "@" in address:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}…@{domain}"
    return f"{address[:5]}…{address[-3:]}"


@click.command(cls=Verb)
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Take an audience off the list; what was sent keeps its version."""
    from dispatcher.services import audiences

    audiences.remove(session.ctx, acting(session), name)
    show(session, {"removed": name}, f"{name} is off the list.")


command = Noun(
    "audience", help="Import and look at the people to tell.", commands=[import_file, list_all, look, remove]
)
