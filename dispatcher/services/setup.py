"""A site's first settings: what to ask, the commented TOML that the answers make, and the schema of every setting."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from tomlkit.items import Table

from dispatcher import provider
from dispatcher.errors import UsageError
from dispatcher.provider import ProviderSettings
from dispatcher.settings import Settings, variable


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask: the setting's key, the words that ask for it, and what Enter means."""

    key: str
    words: str
    default: str = ""

    @property
    def flag(self) -> str:
        """The flag that answers it without asking."""
        return "--" + self.key.rpartition(".")[2].replace("_", "-")


QUESTIONS = (
    Question("organisation.name", "Name of the organisation, as people know it", "Example Ltd"),
    Question("organisation.domain", "Its domain", "example.com"),
    Question("organisation.contact", "Where people can write to", "help@example.com"),
    Question("organisation.phone", "Where people can call", "+44 1632 960000"),
    Question("organisation.help_url", "The page that helps them", "https://example.com/help"),
    Question("organisation.signatory", "Who signs", "The Example team"),
    Question("organisation.region", "Country, two letters", "GB"),
    Question("organisation.time_zone", "Time zone in which times are written", "Europe/London"),
    Question("public_url", "Address under which vendors reach this program (empty: none yet)"),
    Question("work_dir", "Folder for the ledger and its files (empty: your data folder)"),
    Question("database_url", "PostgreSQL address without a password (empty: SQLite)"),
    Question("redis_url", "Redis address without a password (empty: a private one)"),
)

_HEAD = """Settings of this site. What is not named here has the default of the shipped config/default.toml.
No secret belongs into this file: keys and passwords come from variables or from files that variables name.
See which value counts: dispatcher config where KEY. See whether it all works: dispatcher doctor."""


def account_kinds(words: Sequence[str]) -> dict[str, str]:
    """Accounts to set up, by name: `sendgrid` or `backup=smtp`. Raises UsageError for an unknown kind."""
    accounts = {}
    for word in words:
        name, _, kind = word.partition("=")
        if (kind or name) not in provider.kinds():
            raise UsageError(
                f"No provider is called {kind or name!r}.",
                why=f"Installed are: {', '.join(provider.kinds())}.",
                mend="--account KIND, or --account NAME=KIND",
            )
        accounts[name] = kind or name
    return accounts


def needed(accounts: Mapping[str, str]) -> list[Question]:
    """What these accounts cannot do without and that is no secret."""
    return [
        Question(f"providers.{name}.{field}", f"{name}: {field}")
        for name, kind in accounts.items()
        for field, info in _fields(kind).items()
        if info.is_required() and not _is_secret(info)
    ]


def secrets(accounts: Mapping[str, str]) -> list[str]:
    """The variables that carry the secrets of these accounts; each also takes `_FILE` and the name of a file."""
    return [
        variable(f"providers.{name}.{field}")
        for name, kind in accounts.items()
        for field, info in _fields(kind).items()
        if _is_secret(info)
    ]


def compose(answers: Mapping[str, str], accounts: Mapping[str, str]) -> str:
    """The site's TOML: every answer under its comment, every account with what can still be set."""
    document = tomlkit.document()
    for line in _HEAD.splitlines():
        document.add(tomlkit.comment(line))
    _answered(document, "", answers)
    for table in ("organisation",):
        block = tomlkit.table()
        _answered(block, f"{table}.", answers)
        document.add(table, block)
    blocks = tomlkit.table(is_super_table=True)
    for name, kind in accounts.items():
        blocks.add(name, _account(name, kind, answers))
    if accounts:
        document.add("providers", blocks)
    return tomlkit.dumps(document)


def _answered(into: Any, prefix: str, answers: Mapping[str, str]) -> None:
    for question in QUESTIONS:
        head, _, last = question.key.rpartition(".")
        if (head + "." if head else "") != prefix:
            continue
        into.add(tomlkit.nl())
        into.add(tomlkit.comment(question.words + "."))
        if answer := answers.get(question.key, ""):
            into.add(last, answer)
        else:
            into.add(tomlkit.comment(f'{last} = ""'))


def _account(name: str, kind: str, answers: Mapping[str, str]) -> Table:
    block = tomlkit.table()
    block.add("kind", kind)
    for field, info in _fields(kind).items():
        answer = answers.get(f"providers.{name}.{field}", "")
        if answer:
            block.add(field, answer)
        elif _is_secret(info):
            block.add(tomlkit.comment(f"{field}: secret, from {variable(f'providers.{name}.{field}')}"))
        elif info.is_required():
            block.add(tomlkit.comment(f"{field} = … must be set"))
        elif field not in ("kind", "enabled"):
            block.add(tomlkit.comment(f"{field} = {_default(info)}"))
    return block


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    return json.dumps("" if value is None else value, ensure_ascii=False, default=str)


def write(path: Path, text: str, *, replace: bool = False) -> None:
    """Write the file if the program can read it back; never over another one unless told."""
    if path.exists() and not replace:
        raise UsageError(f"{path} is there already.", mend=("--force writes over it", "--file NAME writes another"))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    try:
        Settings.load(env={}, config=fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def schema() -> dict[str, Any]:
    """The JSON Schema of the settings, with a branch for each installed provider's own."""
    whole = Settings.model_json_schema()
    kinds = provider.kinds()
    for kind in kinds:
        own = provider.load(kind).Settings.model_json_schema(ref_template=f"#/$defs/account_{kind}/$defs/{{model}}")
        whole["$defs"][f"account_{kind}"] = own
    branches = [{"$ref": f"#/$defs/account_{kind}"} for kind in kinds]
    whole["properties"]["providers"] = {
        "title": "Accounts at vendors, by name",
        "type": "object",
        "additionalProperties": {"anyOf": branches},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def _fields(kind: str) -> dict[str, FieldInfo]:
    """The vendor's own settings first, then those of every account."""
    fields = provider.load(kind).Settings.model_fields
    own = {name: info for name, info in fields.items() if name not in ProviderSettings.model_fields}
    return own | {name: info for name, info in fields.items() if name not in own}


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in _parts(info.annotation)


def _parts(annotation: Any) -> list[Any]:
    inner = getattr(annotation, "__args__", ())
    return [annotation, *(part for arg in inner for part in _parts(arg))]
