"""The fixed words of the public pages in each language, and how times are told there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list

from dispatcher import resources
from dispatcher.model.fact import ServiceState
from dispatcher.model.incident import Phase

FILE = Path("pages", "public", "words.toml")


class Words:
    """The words of one language. `own` is the organisation's, in which the pages for everybody are."""

    def __init__(self, language: str, said: Mapping[str, str], own: str, zone: str) -> None:
        self.language, self.own = language, own
        self._said, self._zone, self._locale = said, ZoneInfo(zone), Locale.parse(language)

    def __getitem__(self, name: str) -> str:
        return self._said[name]

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return direction(self.language)

    @property
    def endonym(self) -> str:
        """What the language calls itself."""
        return self._locale.get_display_name(self.language) or self.language

    def file(self, stem: str) -> str:
        """The name of a page in this language. Without the language in it, it is the page for everybody."""
        return f"{stem}.{self.language}.html"

    def phase(self, phase: Phase) -> str:
        """What readers call a phase."""
        return self._said.get(f"phase_{phase.value}", self._said["phase_investigating"])

    def works(self, state: ServiceState) -> str:
        """How a service works, in a word or two."""
        return self._said[f"service_{state.value}"]

    def day(self, at: datetime) -> str:
        """A day without its hour."""
        return str(format_date(at.astimezone(self._zone), "d MMMM y", self._locale))

    def moment(self, at: datetime) -> str:
        """An instant in the organisation's zone, and in UTC where that is another hour."""
        here = at.astimezone(self._zone)
        told = f"{format_date(here, 'd MMMM y', self._locale)}, {here:%H:%M} {here.tzname()}"
        return f"{told} ({at.astimezone(UTC):%H:%M} UTC)" if here.utcoffset() else told

    def channels(self, names: tuple[str, ...]) -> str:
        """`email and text message`."""
        return str(format_list([self._said[f"channel_{name}"] for name in names], locale=self._locale))


@lru_cache(maxsize=64)
def direction(language: str) -> str:
    """In which direction a language is written; what nobody knows is taken for left to right."""
    try:
        return str(Locale.parse(language, sep="-").text_direction)
    except ValueError:
        return "ltr"


@lru_cache(maxsize=4)
def load(own: str, zone: str, operator: Path | None = None) -> Mapping[str, Words]:
    """Every language by its code, our own first. The operator's words lie over the shipped ones; a language that lacks
    a word says it in English."""
    said: dict[str, dict[str, str]] = {}
    for folder in reversed(resources.folders("templates", operator)):
        path = folder / FILE
        for language, words in (resources.read_toml(path)[0] if path.is_file() else {}).items():
            said.setdefault(language, {}).update(words)
    home = next((word for word in (own, own.split("-")[0]) if word in said), "en")
    ordered = sorted(said, key=lambda language: (language != home, language))
    return {language: Words(language, said["en"] | said[language], home, zone) for language in ordered}


def chosen(languages: Mapping[str, Words], accepted: str) -> Words:
    """The words for a reader by `Accept-Language` (RFC 9110); our own where none of theirs is spoken here."""
    wanted: list[tuple[float, str]] = []
    for part in accepted[:1000].split(","):
        tag, _, weight = part.partition(";")
        wanted.append((_weight(weight), tag.strip().lower()))
    for share, tag in sorted(wanted, key=lambda pair: -pair[0]):
        if share > 0 and (found := languages.get(tag) or languages.get(tag.split("-")[0])):
            return found
    return next(iter(languages.values()))


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if not name:
        return 1.0
    try:
        return max(0.0, min(1.0, float(value)))
    except ValueError:
        return 0.0
