"""Facts from a file: TOML or JSON, by its ending."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher.errors import TemplateError
from dispatcher.model.fact import FactKey

_LARGEST = 1024 * 1024


def read_fact_file(path: Path) -> dict[FactKey, object]:
    """Raw facts by (name, locale), to be typed by `facts.read_facts`."""
    try:
        text = _text(path)
        table = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "It is not UTF-8 text."
        raise TemplateError(f"{path} cannot be read.", why=why, mend="Check its name, rights and encoding.") from None
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"{path} is no valid TOML or JSON.", why=f"{error}.", mend="Correct that line.") from None
    if not isinstance(table, dict):
        raise TemplateError(f"{path} holds no table of facts.", mend="Write name = value lines.")
    return of_table(table)


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 1024} KiB")
    return path.read_text(encoding="utf-8-sig")


def of_table(table: Mapping[str, Any]) -> dict[FactKey, object]:
    """`name = value`; translations under `[locales.fr]`."""
    raw: dict[FactKey, object] = {(name, None): value for name, value in table.items() if name != "locales"}
    translations = table.get("locales", {})
    if not isinstance(translations, dict) or not all(isinstance(rest, dict) for rest in translations.values()):
        raise TemplateError("locales is no table of translations.", mend='Write [locales.fr] and then name = "...".')
    for locale, rest in translations.items():
        raw |= {(name, locale): value for name, value in rest.items()}
    return raw
