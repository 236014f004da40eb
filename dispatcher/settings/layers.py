"""The layers under the settings: files, secret files and the environment, which is read here and nowhere else."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dispatcher import resources
from dispatcher.errors import ConfigurationError

PREFIX = "DISPATCHER_"
NOT_SETTINGS = ("DISPATCHER_CONFIG", "DISPATCHER_SECRETS_DIR")
"""Variables that say where to look. DISPATCHER_TEST_* belongs to the tests."""

_FOLDERS = ("work_dir", "anchor.path", "templates_dir", "playbooks_dir", "status.folder")
_NOTHING = object()
SECRET_KEY = re.compile(r"(?:^|[._])(?:key|secret|token|password)$")


class Layer:
    """One source of settings: a tree, and for each dotted key the place where it stands."""

    def __init__(
        self, name: str, tree: Mapping[str, Any], places: Mapping[str, str] | None = None, path: Path | None = None
    ) -> None:
        self.name, self.tree, self.places, self.path = name, dict(tree), dict(places or {}), path

    def get(self, key: str, otherwise: Any = None) -> Any:
        """What this layer says of a dotted key."""
        tree: Any = self.tree
        for part in key.split("."):
            if not isinstance(tree, Mapping) or part not in tree:
                return otherwise
            tree = tree[part]
        return tree

    def holds(self, key: str) -> bool:
        """Whether this layer says anything about a dotted key."""
        return self.get(key, _NOTHING) is not _NOTHING

    def place(self, key: str) -> str:
        """The file with its line, or the variable's name."""
        below = (place for name, place in self.places.items() if name.startswith(key + "."))
        return self.places.get(key) or next(below, str(self.path or self.name))


def process_environment() -> dict[str, str]:
    """A copy of this process's environment."""
    return dict(os.environ)


def of_process(overrides: Mapping[str, Any], env: Mapping[str, str] | None, folder: Path | None) -> Iterator[Layer]:
    """Every layer, the strongest first. Without `env` it is this process's, and its folder is looked into as well."""
    folder = Path.cwd() if env is None and folder is None else folder
    return read(overrides, process_environment() if env is None else env, folder)


def read(overrides: Mapping[str, Any], env: Mapping[str, str], folder: Path | None) -> Iterator[Layer]:
    """Every layer, the strongest first."""
    yield Layer("command line", nested({k: v for k, v in overrides.items() if v is not None}))
    yield _environment(env)
    yield _secret_files(env)
    if site := _site_file(env, folder):
        yield _toml("site file", site)
    yield _toml("default file", resources.find("config", "default.toml"))
    yield Layer("built in", _folders(env))


def variable(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def is_secret(key: str) -> bool:
    """Whether a setting's value is shown to nobody: by its last word, or because a URL may hold a password."""
    return key in ("database_url", "redis_url") or bool(SECRET_KEY.search(key))


def key_of(name: str) -> str:
    """The dotted key of an environment variable."""
    return name.removeprefix(PREFIX).lower().replace("__", ".")


def _folders(env: Mapping[str, str]) -> dict[str, Any]:
    """Where data and the anchor live by the XDG rules."""
    home = Path(env.get("HOME") or Path.home())
    data = Path(env.get("XDG_DATA_HOME") or home / ".local/share") / "dispatcher"
    state = Path(env.get("XDG_STATE_HOME") or home / ".local/state") / "dispatcher"
    return {"work_dir": data, "anchor": {"path": state / "anchor.json"}}


def _site_file(env: Mapping[str, str], folder: Path | None) -> Path | None:
    if named := env.get("DISPATCHER_CONFIG"):
        return Path(named).absolute()
    config = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/nonexistent") / ".config")
    near = [folder / "dispatcher.toml", folder / "config/site.toml"] if folder else []
    usual = [*near, config / "dispatcher/dispatcher.toml"]
    return next((path.absolute() for path in usual if path.is_file()), None)


def _toml(name: str, path: Path) -> Layer:
    tree, lines = resources.read_toml(path)
    for key in _FOLDERS:
        head, _, tail = key.rpartition(".")
        table = tree.get(head, {}) if head else tree
        if isinstance(table, dict) and isinstance(table.get(tail), str):
            table[tail] = path.parent / Path(table[tail]).expanduser()
    if any(SECRET_KEY.search(key) and value for key, value in leaves(tree)):
        _refuse_readable_by_all(path)
    return Layer(name, tree, {key: f"{path}:{line}" for key, line in lines.items()}, path)


def _environment(env: Mapping[str, str]) -> Layer:
    flat: dict[str, str] = {}
    places: dict[str, str] = {}
    if env.get("PORT"):
        flat["port"], places["port"] = env["PORT"], "PORT"
    for name, value in sorted(env.items()):
        if is_setting(name) and value and not name.startswith("DISPATCHER_TEST_") and name not in NOT_SETTINGS:
            key = key_of(name)
            if key.endswith("_file") and is_secret(key.removesuffix("_file")):
                key, value = key.removesuffix("_file"), _secret(Path(value))
            flat[key], places[key] = value, name
    return Layer("environment", nested(flat), places)


def _secret_files(env: Mapping[str, str]) -> Layer:
    """Files named like variables in DISPATCHER_SECRETS_DIR, or in systemd's CREDENTIALS_DIRECTORY."""
    folder = env.get("DISPATCHER_SECRETS_DIR") or env.get("CREDENTIALS_DIRECTORY")
    paths = sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else []
    named = {key_of(p.name.upper()): p for p in paths if is_setting(p.name.upper())}
    flat = {key: _secret(path) for key, path in named.items()}
    return Layer("secret file", nested(flat), {key: str(path) for key, path in named.items()})


def is_setting(name: str) -> bool:
    """Whether a variable's name is one of ours."""
    return name.startswith(PREFIX)


def _secret(path: Path) -> str:
    """The content of a secret file without its last line end."""
    try:
        _refuse_readable_by_all(path)
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The secret file {path} cannot be read.",
            why=getattr(error, "strerror", None) or "It is not UTF-8 text.",
            mend="Check its name and rights.",
            code="E-CFG-SEC",
        ) from None


def _refuse_readable_by_all(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        raise ConfigurationError(
            f"Everybody on this machine can read {path}, which holds a secret.",
            why=f"Its rights are {stat.S_IMODE(path.stat().st_mode):04o}.",
            mend=f"chmod 600 {path}",
            code="E-CFG-SEC",
        )


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`; nested mappings pass through and merge."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *heads, last = key.split(".")
        table = tree
        for head in heads:
            table = table.setdefault(head, {})
            if not isinstance(table, dict):
                raise ConfigurationError(
                    f"{key} and {head} cannot both be set.",
                    mend=f"Unset {variable(key)} or {variable(head)}.",
                    code="E-CFG-VAL",
                )
        if isinstance(value, Mapping) and isinstance(table.get(last), dict):
            value = table[last] | nested(value)
        table[last] = nested(value) if isinstance(value, Mapping) else value
    return tree


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key with its value."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), value


def worded(value: Any) -> str:
    """A value as an environment variable says it."""
    if hasattr(value, "get_secret_value"):  # Pydantic's SecretStr, which is not loaded here
        return str(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
