"""Finds what ships beside the code: templates/ and config/.

Look-up order: the operator's own folder, then `_shipped` inside the installed package, then the folder beside the
package (a checkout). Also reads TOML with the line of each key, so that a setting can say where it came from.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from dispatcher.errors import ConfigurationError

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_FENCES = ('"""', "'''")


def package() -> Path:
    """The folder of the installed package."""
    return Path(__file__).parent


def shipped(kind: str) -> Path:
    """The folder `templates` or `config` as it came with the program."""
    inside = package() / "_shipped" / kind
    return inside if inside.is_dir() else package().parent / kind


def folders(kind: str, operator: Path | None = None) -> tuple[Path, ...]:
    """Where to look for `kind`, first hit wins: the operator's folder, then the shipped one."""
    places = [operator] if operator else []
    return tuple(p for p in (*places, shipped(kind)) if p is not None and p.is_dir())


def find(kind: str, name: str, operator: Path | None = None) -> Path:
    """The file or folder `name` of `kind`, the operator's own before the shipped one."""
    for folder in folders(kind, operator):
        candidate = folder / name
        if candidate.exists():
            return candidate
    raise ConfigurationError(
        f"{kind}/{name} is nowhere to be found.",
        why=f"Looked in {', '.join(map(str, folders(kind, operator))) or 'no folder at all'}.",
        mend="Install the program again, or put the file into your own folder.",
        code="E-CFG-RES",
    )


def read_toml(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The tree of a TOML file, and the line of every key in it by its dotted name."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text), _lines(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read.",
            why=getattr(error, "strerror", None) or "It is not UTF-8 text.",
            mend=f"Check the file's name, rights and encoding: {path}",
            code="E-CFG-READ",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML.", why=f"{error}.", mend="Correct that line.", code="E-CFG-TOML"
        ) from None


def _bare(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))


def _lines(text: str) -> dict[str, int]:
    """Line numbers by dotted key. Lines within a multi-line string or list are nobody's key."""
    lines: dict[str, int] = {}
    table, fence, depth = "", "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if depth == 0 and (found := _HEADER.match(line)):
            table = _bare(found[1]) + "."
            lines.setdefault(table[:-1], number)
        elif depth == 0 and (found := _KEY.match(line)):
            lines[table + _bare(found[1])] = number
        fence = next((f for f in _FENCES if line.count(f) % 2), "")
        depth = max(0, depth + _brackets(line)) if not _HEADER.match(line) or depth else 0
    return lines


def _brackets(line: str) -> int:
    """How many lists this line leaves open; brackets in strings and comments do not count."""
    plain = re.sub(r'"[^"]*"|\'[^\']*\'|#.*$', "", line)
    return plain.count("[") - plain.count("]")
