"""File names of a template folder, and which part serves a channel, a locale and a variant."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from dispatcher.errors import TemplateError
from dispatcher.model.kinds import Channel
from dispatcher.model.template import PartName, Template

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
    "page": "md", "letter": "html", "press": "md", "banner": "txt", "script": "md", "phone": "txt", "poster": "md",
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
    """Whether a part is in the language of the locale. `worded` are the languages that any-language parts can take."""
    wanted = locale.split("-")[0]
    if name.locale == ANY:
        return wanted in worded
    return (name.locale or own).split("-")[0] == wanted


def worded(template: Template) -> set[str]:
    """Languages with fixed words and with every partial that holds sentences: no message mixes two languages."""
    partials = [*map(PartName.parse, (*template.shared, *_partials(template.sources)))]
    bare = {(name.medium, name.extension) for name in partials if name and not name.locale}
    spoken = {(name.medium, name.extension, name.locale) for name in partials if name}
    return {
        language
        for language in template.words
        if language == template.locale or all((*one, language) in spoken for one in bare)
    }


def _partials(files: Iterable[str]) -> Iterator[str]:
    """Files of a template that are no message themselves, only included by one."""
    messages = {medium for pieces in PIECES.values() for medium, _, _ in pieces} | DOCUMENTS.keys()
    yield from (file for file in files if (name := PartName.parse(file)) and name.medium not in messages)
