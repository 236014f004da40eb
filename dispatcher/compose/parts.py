"""File names of a template folder, and which part serves a channel, a locale and a variant."""

from collections.abc import Iterable, Mapping

from dispatcher.errors import TemplateError
from dispatcher.model.kinds import Channel
from dispatcher.model.template import PartName

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


def choose(names: Iterable[str], wanted: tuple[str, str, str], *, locale: str, variant: str = "") -> PartName:
    """The closest part: the locale, its language, then the part without locale (the template's language)."""
    medium, piece, extension = wanted
    at_hand = {name for name in map(PartName.parse, names) if name}
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
