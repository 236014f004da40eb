"""File names of a template folder, and which part serves a channel, a locale and a variant."""

from collections.abc import Collection, Iterable, Mapping

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

ANY = "any"
"""Stands for the locale in a part that holds no words of its own, only those of `words.toml` and of partials."""

DOCUMENTS: Mapping[str, str] = {
    "page": "md", "letter": "html", "press": "md", "banner": "txt", "script": "md", "phone": "txt",
}  # fmt: skip
"""Texts without deliveries, and the format of each."""


def choose(names: Iterable[str], wanted: tuple[str, str, str], *, locale: str, variant: str = "") -> PartName:
    """The closest part: the locale, its language, the part for any language, the template's own language."""
    medium, piece, extension = wanted
    at_hand = {name for name in map(PartName.parse, names) if name}
    for spoken in (locale, locale.split("-")[0], ANY, ""):
        for kind in dict.fromkeys((variant, "")):
            candidate = PartName(medium, piece, spoken, kind, extension)
            if candidate in at_hand:
                return candidate
    raise TemplateError(
        f"The part {PartName(medium, piece, '', '', extension).file} is missing.",
        mend=f"Add it to the template's folder, or leave out the channel that needs it ({medium}).",
    )


def speaks(name: PartName, locale: str, *, own: str, worded: Collection[str]) -> bool:
    """Whether a part is in the language of the locale. `worded` are the languages that `words.toml` has."""
    wanted = locale.split("-")[0]
    if name.locale == ANY:
        return wanted in worded
    return (name.locale or own).split("-")[0] == wanted
