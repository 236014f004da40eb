"""The few settings that a look at the ledger needs, read from the same layers without checking all the others.

Whoever changes anything, or asks for any other setting, goes through `Settings`, which refuses a wrong tree as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.settings import layers
from dispatcher.settings.layers import Layer

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Outline:
    """Where the ledger is, and the address that each account was given; an account without one is at its vendor's."""

    work_dir: Path
    ledger_url: str
    addresses: Mapping[str, str]


def ledger_url(database_url: str, work_dir: Path) -> str:
    """The database: the configured one, else SQLite in the work folder."""
    return database_url or f"sqlite:///{work_dir / 'ledger.db'}"


def outline(
    overrides: Mapping[str, Any], env: Mapping[str, str] | None = None, folder: Path | None = None
) -> Outline | None:
    """None where something is not as plainly written as it should be: then `Settings` has the say, and the words."""
    found = tuple(layers.of_process(overrides, env, folder))
    work_dir, database = _highest(found, "work_dir"), _highest(found, "database_url")
    if not isinstance(work_dir, str | Path) or (not isinstance(database, str) and database is not _ABSENT):
        return None
    url = database.strip() if isinstance(database, str) else ""
    data = Path(work_dir.strip() if isinstance(work_dir, str) else work_dir)
    return Outline(data, ledger_url(url, data), _addresses(found))


def _highest(found: tuple[Layer, ...], key: str) -> Any:
    """What the strongest layer says that says anything."""
    return next((value for layer in found if (value := layer.get(key, _ABSENT)) is not _ABSENT), _ABSENT)


def _addresses(found: tuple[Layer, ...]) -> dict[str, str]:
    blocks = [layer.tree.get("providers") for layer in found]
    names = {name for block in blocks if isinstance(block, Mapping) for name in block}
    told = {name: _highest(found, f"providers.{name}.base_url") for name in names}
    return {name: url.strip() for name, url in told.items() if isinstance(url, str)}
