"""What a text tells readers: its sentences but for those that only say that work goes on (`filler.toml`)."""

import re
import tomllib
from functools import cache
from pathlib import Path

_REFERENCE = re.compile("<<([a-z]+)>>")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@cache
def _fillers() -> dict[str, re.Pattern[str]]:
    raw = tomllib.loads(Path(__file__).with_name("filler.toml").read_text(encoding="utf-8"))
    return {language: _pattern(entries) for language, entries in raw.items()}


def _pattern(entries: dict[str, str]) -> re.Pattern[str]:
    """One pattern of all lines; an entry may name those that stand before it."""
    lines = "|".join(filter(None, entries["filler"].splitlines()))
    return re.compile(_REFERENCE.sub(lambda found: entries[found[1]], lines), re.IGNORECASE)


def substance(text: str, language: str) -> tuple[str, ...]:
    """The sentences that tell something, in small letters and without their full stops. In a language whose fillers
    are not known every sentence does."""
    filler = _fillers().get(language.split("-")[0])
    said = (re.sub(r"\s+", " ", one.replace("’", "'")).strip(" .!?").lower() for one in _SENTENCE_END.split(text))
    return tuple(one for one in said if one and not (filler and filler.fullmatch(one)))
