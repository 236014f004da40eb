"""The characters that a fact may hold, whatever its kind."""

import re
import unicodedata
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, StringConstraints

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(value: str) -> str:
    """Words in composed form (NFC), without outer blanks, control characters or bidi marks.

    Joiners stay: Persian, the languages of India and emoji need them.
    """
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    for char in text:
        if _BIDI.match(char):
            raise ValueError(f"holds the invisible mark U+{ord(char):04X}, which can turn text around: delete it")
        if char != "\n" and unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
            raise ValueError(f"holds the control character U+{ord(char):04X}: delete it")
    return text


def one_line(value: str) -> str:
    """The value, if it has no line break."""
    if "\n" in value:
        raise ValueError("holds a line break: write it in one line")
    return value


Clean: TypeAlias = Annotated[str, AfterValidator(clean), StringConstraints(min_length=1)]
Line: TypeAlias = Annotated[Clean, StringConstraints(max_length=300), AfterValidator(one_line)]
