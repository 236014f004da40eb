"""What one call of the command line carries: how to show, which settings, who acts. Nothing heavy loads here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dispatcher.services.context import Context
    from dispatcher.settings import Settings


@dataclass
class Session:
    """The global options, wherever in the call they stood."""

    json: bool = False
    plain: bool = False
    no_color: bool = False
    trace: bool = False
    config: Path | None = None
    work_dir: Path | None = None
    who: str | None = None
    token_file: Path | None = None
    overrides: dict[str, object] = field(default_factory=dict)

    @cached_property
    def settings(self) -> "Settings":
        """The settings alone, for commands that must work without a ledger."""
        from dispatcher.settings import Settings

        return Settings.load(overrides=self._flags, env=self._environment)

    @cached_property
    def ctx(self) -> "Context":
        """The joined parts, built once and only for commands that need them."""
        from dispatcher.bootstrap import build

        return build(self.settings)

    @cached_property
    def glance(self) -> "Context":
        """For commands that only look: an open ledger, the other parts joined only if they are asked for."""
        from dispatcher.bootstrap import look
        from dispatcher.settings.outline import outline

        plain = outline(self._flags, self._environment)
        return look(plain, lambda: self.settings) if plain else self.ctx

    @property
    def _flags(self) -> dict[str, object]:
        flags = {"work_dir": str(self.work_dir.absolute())} if self.work_dir else {}
        return {**flags, **self.overrides}

    @property
    def _environment(self) -> dict[str, str] | None:
        from dispatcher.settings import layers

        return layers.process_environment() | {"DISPATCHER_CONFIG": str(self.config)} if self.config else None

    @property
    def color(self) -> bool | None:
        """None leaves it to click: colour on a terminal only."""
        return False if self.no_color or self.plain or self.json else None


def read(call: click.Context) -> Session:
    """The session of this call."""
    return call.ensure_object(Session)


pass_session = click.make_pass_decorator(Session, ensure=True)


def join_words(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""
