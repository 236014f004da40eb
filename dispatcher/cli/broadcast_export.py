"""The verbs that write a broadcast to files: who got it, its documents, and a sealed copy for a day without us."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from dispatcher.cli.actor import acting_on
from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import as_json, is_terminal, number, say, show
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import UsageError

Rows = Iterator[dict[str, Any]]
_FOLDER = click.Path(file_okay=False, path_type=Path)
_PASSPHRASE = click.option(
    "--passphrase-file",
    "secret",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the passphrase, instead of being asked. It never stands in the command.",
)


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--unreached", is_flag=True, help="Only people whom no channel reached.")
@click.option("--uncorrected", is_flag=True, help="Only people who read it, or may have, and not yet what followed it.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), help="Default csv; --json means json lines.")
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="File instead of stdout.")
@click.option("--documents", type=_FOLDER, help="Instead: pages, letters, press, scripts, banner and feed JSON.")
@click.option("--pdf", is_flag=True, help="With --documents: letters, posters, press and scripts also as PDF.")
@click.option("--letters", is_flag=True, help="With --documents: a letter for each person, in DIR/letters.")
@click.option("--offline", type=_FOLDER, help="Instead: addresses, texts and call sheet, sealed with a passphrase.")
@_PASSPHRASE
@pass_session
def export(
    session: Session,
    ref: str,
    unreached: bool,
    uncorrected: bool,
    form: str | None,
    target: Path | None,
    documents: Path | None,
    pdf: bool,
    letters: bool,
    offline: Path | None,
    secret: Path | None,
) -> None:
    """One row per delivery: who, where, what became of it and why. CSV is safe to open in a spreadsheet."""
    if documents and offline:
        raise UsageError("--documents and --offline are two exports.", mend="Call it twice.")
    if letters and not documents:
        raise UsageError("--letters go into the folder of --documents.", mend="--documents DIR --letters")
    if documents:
        told = _export_letters(session, ref, documents / "letters", pdf=pdf, unreached=unreached) if letters else None
        _export_documents(session, ref, documents, pdf=pdf, letters=told)
    elif offline:
        _export_offline(session, ref, offline, secret)
    else:
        columns, rows = _rows(session, ref, unreached=unreached, uncorrected=uncorrected)
        _export_rows(session, columns, rows, target, as_lines=session.json or form == "json")


def _export_documents(session: Session, ref: str, folder: Path, *, pdf: bool, letters: dict[str, Any] | None) -> None:
    from dispatcher.services import papers

    made = papers.export(session.ctx, acting_on(session, ref), ref, folder, pdf=pdf)
    plain = made.as_dict() | ({"letters": letters} if letters else {})
    show(session, plain, lambda: "\n".join(str(folder / name) for name in made.files))


def _export_letters(session: Session, ref: str, folder: Path, *, pdf: bool, unreached: bool) -> dict[str, Any]:
    from dispatcher.services import letters

    made = letters.export(session.ctx, acting_on(session, ref), ref, folder, pdf=pdf, unreached=unreached)
    out = f"; {number(made.left_out)} people get none" if made.left_out else ""
    say(session, f"{number(made.letters)} letters in {folder}{out}. Each names a person: delete them when printed.")
    if made.lacking:
        columns = ", ".join(made.lacking)
        places = f"The audience has no column {columns}: those places say what the letter says by default"
        say(session, f"{places}. To fill them, import it again: dispatcher audience import FILE --map COLUMN=FIELD")
    for (asked, given), people in made.instead.items():
        say(session, f"{number(people)} asked for {asked} and get {given}: index.csv names them in its column asked.")
    return made.as_dict()


def _export_offline(session: Session, ref: str, folder: Path, secret: Path | None) -> None:
    from dispatcher.services import offline

    path = offline.export(session.ctx, acting_on(session, ref), ref, folder, _passphrase(secret, twice=True))
    say(session, "Keep the passphrase where you keep no copy of the file.")
    show(session, {"ref": ref, "file": path}, str(path))


@click.command(cls=Verb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", type=_FOLDER, required=True, help="Folder to write to, readable by you alone.")
@_PASSPHRASE
@pass_session
def unseal(session: Session, file: Path, into: Path, secret: Path | None) -> None:
    """Open what export --offline made. Needs no ledger."""
    from dispatcher.services import offline

    names = offline.unseal(file, into, _passphrase(secret, twice=False))
    show(session, {"folder": into, "files": names}, lambda: "\n".join(str(into / name) for name in names))


def _passphrase(secret: Path | None, *, twice: bool) -> str:
    if secret is not None:
        return secret.read_text(encoding="utf-8").strip()
    if not is_terminal():
        raise UsageError("Nobody is here to be asked for the passphrase.", mend="--passphrase-file FILE")
    asked: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return asked.strip()


def _rows(session: Session, ref: str, *, unreached: bool, uncorrected: bool) -> tuple[Sequence[str], Rows]:
    from dispatcher.services import exporting, reach

    actor = acting_on(session, ref)
    if not uncorrected:
        return exporting.COLUMNS, exporting.rows(session.ctx, actor, ref, unreached=unreached)
    if unreached:
        raise UsageError("--unreached and --uncorrected are two lists.", mend="Call it twice.")
    return reach.COLUMNS, reach.missed(session.ctx, actor, ref)


def _export_rows(session: Session, columns: Sequence[str], rows: Rows, target: Path | None, *, as_lines: bool) -> None:
    write = _as_json if as_lines else partial(_as_csv, columns)
    count = _to_file(target, rows, write) if target else write(rows, sys.stdout)
    say(session, f"{number(count)} rows" + (f" in {target}" if target else ""))


def _to_file(target: Path, rows: Rows, write: Callable[[Rows, TextIO], int]) -> int:
    """Names and addresses: readable by their owner alone."""
    target.touch(mode=0o600)
    target.chmod(0o600)
    with target.open("w", encoding="utf-8", newline="") as file:
        return write(rows, file)


def _as_json(rows: Rows, out: TextIO) -> int:
    count = 0
    for row in rows:
        out.write(as_json(row) + "\n")
        count += 1
    return count


def _as_csv(columns: Sequence[str], rows: Rows, out: TextIO) -> int:
    from dispatcher.tables import writing

    return writing.write(out, columns, rows)


VERBS: tuple[Any, ...] = (export, unseal)
