"""Who reads which rendition: by the audience's language, and by the column that names a recipient's variant."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.ledger import planning
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Template

Key = tuple[Channel, str, str]
"""Channel, locale and variant of a rendition."""
Word = str | None
_BETWEEN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Readers:
    """The audience's words for language and variant, and what each of them reads. None stands for no word."""

    locales: Mapping[Word, str]
    variants: Mapping[Word, str]
    column: str
    default_locale: str
    default_variant: str

    def key(self, channel: Channel, locale_word: Word, variant_word: Word, have: Collection[Key]) -> Key:
        """The rendition that somebody with these words reads; the plain one stands in for a missing variant."""
        locale = self.locales.get(locale_word, self.default_locale)
        if not any((one[0], one[1]) == (channel, locale) for one in have):
            locale = self.default_locale
        wanted = (channel, locale, self.variants.get(variant_word, ""))
        return wanted if wanted in have else (channel, locale, "")

    def groups(self, channel: Channel, have: Collection[Key]) -> list[tuple[Key, tuple[Word, ...], tuple[Word, ...]]]:
        """Each rendition of a channel that somebody reads, with the words that lead to it."""
        found: dict[Key, tuple[dict[Word, None], dict[Word, None]]] = defaultdict(lambda: ({}, {}))
        for locale_word in self.locales:
            for variant_word in self.variants:
                locales, variants = found[self.key(channel, locale_word, variant_word, have)]
                locales[locale_word] = variants[variant_word] = None
        return [(key, tuple(words[0]), tuple(words[1])) for key, words in sorted(found.items())]

    def own(self, channel: Channel, have: Collection[Key]) -> Key:
        """What our own accounts say."""
        wanted = (channel, self.default_locale, self.default_variant)
        return wanted if wanted in have else (channel, self.default_locale, "")


def readers(tx: Tx, broadcast: Broadcast, template: Template) -> Readers:
    """The readers of a broadcast's audience; without an audience, the defaults."""
    plan, version = broadcast.plan, broadcast.audience_version_id
    locales: dict[Word, str] = {None: plan.default_locale}
    variants: dict[Word, str] = {None: "" if plan.variant_by else plan.variant}
    if version is not None:
        offered = template.locales()
        words = planning.locales(tx, version)
        locales = {word: _match(word, offered, plan.default_locale) for word in words} | locales
        if plan.variant_by:
            named = planning.words_of(tx, version, plan.variant_by)
            variants |= {word: _variant(word, template.variants()) for word in named if word is not None}
    return Readers(locales, variants, plan.variant_by, plan.default_locale, plan.variant)


def misread(tx: Tx, broadcast: Broadcast, found: Readers) -> dict[tuple[str, str], int]:
    """How many of the audience asked for a language that the template does not have: by (asked for, given)."""
    other = {
        word: (_language(word), _language(given))
        for word, given in found.locales.items()
        if word and _language(word) != _language(given)
    }
    if not other or broadcast.audience_version_id is None:
        return {}
    counted = Counter[tuple[str, str]]()
    for word, people in planning.who_named(tx, broadcast.audience_version_id, list(other)).items():
        counted[other[word]] += people
    return dict(sorted(counted.items()))


def _language(word: str) -> str:
    return word.replace("_", "-").split("-")[0].lower()


def keys(rendered: Iterable[Rendition]) -> set[Key]:
    """The keys of renditions."""
    return {(one.channel, one.locale, one.variant) for one in rendered}


def sendable(broadcast: Broadcast, rendered: Sequence[Rendition]) -> list[Rendition]:
    """What will be handed over: people get their language and variant, our own accounts speak the organisation's."""
    have = keys(rendered)
    own = Readers({}, {}, "", broadcast.plan.default_locale, broadcast.plan.variant)
    return [
        one
        for one in rendered
        if one.channel.counts_people or (one.channel, one.locale, one.variant) == own.own(one.channel, have)
    ]


def readings(
    found: Readers, rendered: Sequence[Rendition]
) -> Iterator[tuple[Rendition, tuple[Word, ...], tuple[Word, ...]]]:
    """Each rendition for people with the words of its readers."""
    by_key = {(one.channel, one.locale, one.variant): one for one in rendered if one.channel.counts_people}
    for channel in dict.fromkeys(key[0] for key in by_key):
        for key, locales, variants in found.groups(channel, by_key.keys()):
            if key in by_key:
                yield by_key[key], locales, variants


def _match(word: Word, offered: set[str], default: str) -> str:
    if word is None:
        return default
    exact = word.replace("_", "-")
    return next((c for c in (exact, exact.split("-")[0].lower()) if c in offered), default)


def _variant(word: str, offered: set[str]) -> str:
    """`US`, `us` and `US ` name the variant us; a word that names none reads the plain words."""
    plain = _BETWEEN.sub("_", word.strip().lower()).strip("_")
    return plain if plain in offered else ""
