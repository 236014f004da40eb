"""The first settings of a site: asks in a terminal, takes flags in a script."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import is_terminal, show
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import UsageError

if TYPE_CHECKING:
    from dispatcher.services.setup import Question

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Verb)
@click.option("--file", "path", type=_FILE, default=Path("dispatcher.toml"), show_default=True, help="Where to write.")
@click.option("--account", "accounts", multiple=True, metavar="NAME[=KIND]", help="An account to set up; repeatable.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="An answer, e.g. organisation.name=Shop.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; defaults for what no --set answers.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@pass_session
def command(
    session: Session, path: Path, accounts: tuple[str, ...], given: tuple[str, ...], yes: bool, force: bool
) -> None:
    """Write a commented site configuration without secrets.

    In a terminal it asks; in a script (or with --yes) it takes --set and defaults.
    """
    from dispatcher.services import setup

    ask = not yes and is_terminal()
    wanted = setup.account_kinds(accounts or (_asked_accounts() if ask else ()))
    known = _given(given)
    questions = [*setup.QUESTIONS, *setup.needed(wanted)]
    if strange := sorted(set(known) - {question.key for question in questions}):
        raise UsageError(
            f"init asks for no {strange[0]}.",
            why=f"It asks for: {', '.join(question.key for question in questions)}.",
            mend="Write it into the file afterwards; dispatcher config schema lists every key.",
        )
    answers = {q.key: known.get(q.key) or (_asked(q) if ask else q.default) for q in questions}
    setup.write(path, setup.compose(answers, wanted), replace=force)
    variables = setup.secrets(wanted)
    payload = {
        "file": path.absolute(),
        "variables": variables,
        "open": [q.key for q in questions if not answers[q.key]],
    }
    show(session, payload, _next(path, variables))


def _given(words: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise UsageError(f"--set {wrong[0]} has no value.", mend=f"--set {wrong[0]}=VALUE")
    return {key.strip(): value for key, _, value in pairs}


def _asked(question: "Question") -> str:
    answer: str = click.prompt(question.words, default=question.default, show_default=bool(question.default), err=True)
    return answer.strip()


def _asked_accounts() -> list[str]:
    from dispatcher import provider

    words = click.prompt(f"Accounts at ({', '.join(provider.kinds())}), commas between", default="", err=True)
    return [word.strip() for word in words.split(",") if word.strip()]


def _next(path: Path, variables: list[str]) -> Callable[[], str]:
    def words() -> str:
        lines = [f"Written: {path}"]
        if variables:
            lines += ["Set these before you send; each also as …_FILE, naming a file:", *(f"  {v}" for v in variables)]
        return "\n".join([*lines, "Next: dispatcher doctor"])

    return words
