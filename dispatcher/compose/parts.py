"""File names of a template folder, and which part serves a channel, a locale and a variant."""

import re
from collections.abc import Iterable, Mapping

from dispatcher.errors import TemplateError
from dispatcher.model.kinds import Channel
from dispatcher.model.template import PartName

_NAME = re.compile(
    r"(?P<medium>[a-z_]+)"
    r"(?:\.(?P<piece>subject))?"
    r"(?:\.(?P<locale>[a-z]{2,3}(?:-[A-Z]{2})?))?"
    r"(?:\+(?P<variant>[a-z0-9_]+))?"
    r"\.(?P<extension>txt|mjml|md|html)"
)

PIECES: Mapping[Channel, tuple[tuple[str, str, str], ...]] = {
    Channel.EMAIL: (("email", "subject", "txt"), ("email", "", "mjml"), ("email", "", "txt")),
    Channel.SMS: (("sms", "", "txt"),),
    Channel.SOCIAL: (("post", "", "txt"),),
    Channel.CHAT: (("chat", "", "txt"),),
}
"""What a channel is made of: medium, piece and extension of each file."""

DOCUMENTS: Mapping[str, str] = {
    "page": "md", "letter": "html", "press": "md", "banner": "txt", "script": "md", "phone": "txt",
}  # fmt: skip
"""Texts without deliveries, and the format of each."""


def parse(file: str) -> PartName | None:
    """The name taken apart, or None where it is no part."""
    found = _NAME.fullmatch(file)
    if not found:
        return None
    return PartName(**{key: value or "" for key, value in found.groupdict().items()})


def choose(names: Iterable[str], wanted: tuple[str, str, str], *, locale: str, variant: str = "") -> PartName:
    """The closest part: the locale, its language, then the part without locale (the template's language)."""
    medium, piece, extension = wanted
    at_hand = {name for name in map(parse, names) if name}
    for spoken in (locale, locale.split("-")[0], ""):
        for kind in dict.fromkeys((variant, "")):
            candidate = PartName(medium, piece, spoken, kind, extension)
            if candidate in at_hand:
                return candidate
    raise TemplateError(
        f"The part {PartName(medium, piece, '', '', extension).file} is missing.",
        mend=f"Add it to the template's folder, or leave out the channel that needs it ({medium}).",
    )


def language(name: PartName, own: str) -> str:
    """The language a part is written in; without a suffix, the template's own."""
    return (name.locale or own).split("-")[0]
