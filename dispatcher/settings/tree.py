"""The checked tree of settings: every table, what is wrong with it, and where each value came from."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import devnull
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, ValidationError
from pydantic import field_validator as checked
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from dispatcher.errors import ConfigurationError
from dispatcher.model.kinds import Mode
from dispatcher.settings import layers
from dispatcher.settings.cadence import Cadence, Duties, Reminders
from dispatcher.settings.layers import Layer, variable
from dispatcher.settings.outline import ledger_url
from dispatcher.settings.public import Outward, Status
from dispatcher.settings.tables import (
    Anchor,
    Approval,
    Audience,
    Dispatch,
    Log,
    Marketing,
    Organisation,
    Signatory,
    Staff,
    Workers,
)

_ACCOUNT = re.compile(r"[a-z][a-z0-9_]{0,62}")
SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""The name of a sender of an incident tool: `pages`, `eu-prod`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting's value came from: the layer that won, and the file with its line or the variable's name."""

    key: str
    layer: str
    place: str
    value: str


class _Source(PydanticBaseSettingsSource):
    """A layer as Pydantic reads it."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(BaseSettings)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._layer.tree.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._layer.tree


class Settings(BaseSettings):
    """Everything that a site decides. Build it with `Settings.load()`, once per process, and hand it down."""

    model_config = ConfigDict(  # type: ignore[assignment]
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True, validate_default=True
    )

    work_dir: Path = Path()
    database_url: str = Field(default="", repr=False)
    redis_url: str = Field(default="", repr=False)
    public_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=0, le=65535)
    mode: Mode = Mode.LIVE
    templates_dir: Path | None = None
    playbooks_dir: Path | None = None
    token: SecretStr = SecretStr("")
    anchor: Anchor = Anchor()
    organisation: Organisation = Organisation()
    audience: Audience = Audience()
    dispatch: Dispatch = Dispatch()
    staff: Staff = Staff()
    cadence: Cadence = Cadence()
    reminders: Reminders = Reminders()
    duties: Duties = Duties()
    approval: Approval = Approval()
    marketing: Marketing = Marketing()
    signatories: dict[str, Signatory] = {}
    workers: Workers = Workers()
    log: Log = Log()
    providers: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    signals: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    signals_key: SecretStr = SecretStr("")
    status: Status = Status()
    outward: dict[str, Outward] = {}

    _layers: tuple[Layer, ...] = PrivateAttr(default=())

    def __init__(self, *, found: tuple[Layer, ...]) -> None:
        super().__init__(found=found)
        self._layers = found

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        yield from super().__repr_args__()
        yield "accounts", self.accounts

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: Any, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return tuple(_Source(layer) for layer in init_settings.init_kwargs["found"])

    @classmethod
    def load(
        cls,
        *,
        overrides: Mapping[str, Any] | None = None,
        config: Path | None = None,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Self:
        """The settings of this process. `overrides` (nested, or dotted keys) and `config` are flags of a call.

        `env` stands for the process's environment; with it no site file is looked for unless `folder` or
        DISPATCHER_CONFIG says where. Raises ConfigurationError with the place of what is wrong.
        """
        if config is not None:
            env = {**(layers.process_environment() if env is None else env), "DISPATCHER_CONFIG": str(config)}
        found = tuple(layers.of_process(overrides or {}, env, folder))
        try:
            return cls(found=found)
        except ValidationError as error:
            raise _explained(error, found) from None

    @checked("providers")
    @classmethod
    def _account_names(cls, accounts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in accounts:
            if not _ACCOUNT.fullmatch(name):
                raise ValueError(f"{name!r} is no account name: lower-case letters, digits and _ only")
        return accounts

    @checked("signals", "outward")
    @classmethod
    def _source_names(cls, sources: dict[str, Any]) -> dict[str, Any]:
        for name in sources:
            if not SOURCE.fullmatch(name):
                raise ValueError(f"{name!r} is no name for it: lower-case letters, digits, - and _ only")
        return sources

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names of the provider blocks."""
        return tuple(sorted(self.providers))

    @property
    def site_file(self) -> Path | None:
        """The site's own file, if one was found."""
        return next((layer.path for layer in self._layers if layer.name == "site file"), None)

    @property
    def ledger_url(self) -> str:
        """The database: the configured one, else SQLite in the work folder."""
        return ledger_url(self.database_url, self.work_dir)

    @property
    def region(self) -> str:
        """The region for telephone numbers without a country code."""
        return self.audience.region or self.organisation.region

    def all_keys(self) -> list[str]:
        """Every dotted key that has a value, provider blocks included."""
        return [key for key, _ in layers.leaves(self.model_dump())]

    def where(self, key: str) -> Origin:
        """Which layer set `key`, where exactly, and the value (hidden where it may be a secret)."""
        value: Any = self
        for part in key.split("."):
            value = _child(value, part, key)
        for layer in self._layers:
            if layer.holds(key):
                return Origin(key, layer.name, layer.place(key), _shown(key, value))
        return Origin(key, "built in", "the program's own default", _shown(key, value))

    def child_environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment for a process of ours that shall see these very settings."""
        kept = {k: v for k, v in layers.process_environment().items() if not layers.is_setting(k) and k != "PORT"}
        files = [layer for layer in self._layers if layer.path is not None]
        for layer in reversed(self._layers):
            # a variable beats a file: what is only built in is not said where a file says otherwise
            hidden = files if layer.name == "built in" else []
            for key, value in layers.leaves(layer.tree) if layer.path is None else ():
                if not any(file.holds(key) for file in hidden):
                    kept[variable(key)] = layers.worded(value)
        return kept | {"DISPATCHER_CONFIG": str(self.site_file or devnull)} | dict(extra or {})


def _child(value: Any, part: str, key: str) -> Any:
    names = list(value) if isinstance(value, Mapping) else list(getattr(type(value), "model_fields", {}))
    if part not in names:
        near = difflib.get_close_matches(part, names, n=1)
        raise ConfigurationError(
            f"There is no setting {key}.",
            why=f"{part!r} is not one of: {', '.join(map(str, names))}." if names else "It has no settings below it.",
            mend=f"Did you mean {key.replace(part, near[0])}?" if near else "See `dispatcher config schema`.",
            code="E-CFG-KEY",
        )
    return value[part] if isinstance(value, Mapping) else getattr(value, part)


def _shown(key: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if key.startswith("providers.") or layers.is_secret(key):
        return "set" if value else "not set"
    return (", ".join(map(str, value)) or "empty") if isinstance(value, Mapping) else str(value)


def _told(problem: Mapping[str, Any], found: tuple[Layer, ...]) -> str:
    key = ".".join(map(str, problem["loc"]))
    layer = next((layer for layer in found if layer.holds(key)), None)
    place = f" ({layer.place(key)})" if layer else ""
    told = str(problem["msg"]).removeprefix("Value error, ")
    said = "there is no such setting" if problem["type"] == "extra_forbidden" else told
    return f"{key}{place}: {said[0].lower()}{said[1:].rstrip('.')}"


def _explained(error: ValidationError, found: tuple[Layer, ...]) -> ConfigurationError:
    """Each wrong setting with its place; never with its value."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return ConfigurationError(
        f"{len(problems)} setting{'s are' if len(problems) > 1 else ' is'} wrong.",
        why="; ".join(_told(dict(problem), found) for problem in problems) + ".",
        mend="Correct it there; `dispatcher config schema` lists every setting.",
        code="E-CFG-VAL",
    )
