"""Command groups that load on use: `--help` costs click and a table of names, not a database driver."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from dispatcher.cli.session import Session

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _remember(call: click.Context, option: click.Parameter, value: Any) -> None:
    """Keep a global option in the session, whether it stood before or behind the command."""
    if value not in (None, False) and option.name:
        setattr(call.ensure_object(Session), option.name, value)


class _NoColor(click.Option):
    """NO_COLOR counts whatever it says, as long as it says something (no-color.org)."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        return True if self.resolve_envvar_value(ctx) else None


def _everywhere(
    flags: tuple[str, ...], text: str, kind: type[click.Option] = click.Option, **more: Any
) -> click.Option:
    return kind(flags, help=text, expose_value=False, callback=_remember, **more)


def everywhere() -> list[click.Parameter]:
    """Options that every command takes, before its name or after it."""
    return [
        _everywhere(("--json", "json"), "One JSON object on stdout.", is_flag=True),
        _everywhere(("--plain", "plain"), "No colour, no frames: one line per event.", is_flag=True),
        _everywhere(("--no-color", "no_color"), "No colour.", _NoColor, is_flag=True, envvar="NO_COLOR"),
        _everywhere(("--config", "config"), "Site settings (TOML).", type=_FILE),
        _everywhere(("--work-dir", "work_dir"), "Folder of the ledger and its files.", type=_FOLDER),
        _everywhere(("--as", "who"), "Who acts, by name. Without a token: drill only.", metavar="WHO"),
        _everywhere(("--token-file", "token_file"), "File with the acting person's token.", type=_FILE),
        _everywhere(("--trace", "trace"), "Show where a bug happened.", is_flag=True, hidden=True),
    ]


class Verb(click.Command):
    """A command that also takes the global options, listed apart in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.everywhere = everywhere()
        self.params = [*self.params, *self.everywhere]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own options first; the global ones by name only, since `dispatcher --help` explains them."""
        own = [p.get_help_record(ctx) for p in self.get_params(ctx) if p not in self.everywhere]
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record])
        shown = [p.opts[0] for p in self.everywhere if not getattr(p, "hidden", False)]
        with formatter.section("Everywhere"):
            formatter.write_text(" ".join(shown))


def _suggest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else f" Known: {', '.join(known)}."


class Noun(click.Group):
    """A noun and its verbs; a typing slip is answered with the nearest verb."""

    command_class = Verb

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A noun alone asks for nothing: its help goes to stderr and the call is no success."""
        if not args and not ctx.resilient_parsing:
            click.echo(self.get_help(ctx), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with our own suggestion."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command: {args[0]}.{_suggest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class ManyVerbs(Noun):
    """A noun whose verbs lie in several modules; a module is imported when one of its verbs is used."""

    def __init__(self, *args: Any, modules: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._module_of = {verb: module for module, verbs in modules.items() for verb in verbs}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table, which is the order of the work."""
        return list(self._module_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb; its module is imported now."""
        if cmd_name not in self._module_of:
            return None
        verbs: Sequence[click.Command] = import_module(self._module_of[cmd_name]).VERBS
        return next(verb for verb in verbs if verb.name == cmd_name)


class Nouns(Noun):
    """The root: knows each noun by a line of help and imports its module when it is used."""

    def __init__(self, *args: Any, nouns: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.nouns = nouns

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table, which is the order of the work."""
        return [*self.nouns, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; its module is imported now."""
        if cmd_name not in self.nouns:
            return super().get_command(ctx, cmd_name)
        loaded: click.Command = import_module(self.nouns[cmd_name][0]).command
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that help imports nothing."""
        rows = [
            *((n, text) for n, (_, text) in self.nouns.items()),
            *((n, c.get_short_help_str()) for n, c in self.commands.items()),
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
