"""Numbers and days in a text, however they are written: 6,500,000 and 6.5 million, twelve and 12, 4 May and 4 mai."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.compose.lint.passages import Passage

SMALL = 10
"""Up to ten, one language says "both" where another says "the two": such words settle a number and demand none."""


def _counted(words: str, step: int = 1, start: int = 0) -> dict[str, int]:
    return {word: start + step * place for place, word in enumerate(words.split())}


_ENGLISH = _counted(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
) | _counted("twenty thirty forty fifty sixty seventy eighty ninety", 10, 20)
_FRENCH = (
    _counted("zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize")
    | _counted("vingt trente quarante cinquante soixante septante octante nonante", 10, 20)
    | {"une": 1, "vingts": 20}
)
_SCALES = {
    "en": {"hundred": 100, "thousand": 1_000, "million": 1_000_000},
    "fr": {"cent": 100, "cents": 100, "mille": 1_000, "million": 1_000_000, "millions": 1_000_000},
}
_UNITS = {"en": _ENGLISH, "fr": _FRENCH}
_ARTICLES = frozenset(("one", "un", "une"))
_MONTHS = {
    "en": _counted("january february march april may june july august september october november december", 1, 1),
    "fr": _counted("janvier février mars avril mai juin juillet août septembre octobre novembre décembre", 1, 1),
}
_FIGURES = re.compile(r"(?<![\w#])\d+(?:[ \u202f\u00a0,.]\d{3})*(?:[:.,]\d+)?(?!\w)|\d{1,2} h \d{2}")
_SCALED = re.compile(r"(?<![\w#])(\d+(?:[.,]\d+)?) (thousand|million|mille|millions)\b", re.IGNORECASE)
_AWAY = re.compile(r"https?://\S+|\S+@\S+|\+?\d[\d -]{7,}\d|\bINC-\d+\b|^\s*\d+\.\s", re.MULTILINE)
_TIME_FR = re.compile(r"\b(\d{1,2}) h(?: (\d{2}))?\b")
_TIME_12 = re.compile(r"\b(\d{1,2})(?:[:.](\d{2}))? ?([ap])\.?m\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a text states in figures, and what in words. Days stand as `4-5` for 4 May."""

    figures: frozenset[str]
    words: frozenset[str]

    @property
    def demands(self) -> frozenset[str]:
        """What a text that says the same must state too."""
        return self.figures | {word for word in self.words if int(word) > SMALL}

    @property
    def all(self) -> frozenset[str]:
        """Everything stated."""
        return self.figures | self.words


def stated(passage: Passage) -> Stated:
    """Counts, times and days; not addresses, telephone numbers or the marks of a list."""
    text = _TIME_FR.sub(lambda at: f"{int(at[1])}:{at[2] or '00'}", _AWAY.sub(" ", passage.text))
    text = _TIME_12.sub(lambda at: f"{int(at[1]) % 12 + 12 * (at[3] in 'pP')}:{at[2] or '00'}", text)
    text = _SCALED.sub(_scaled, text)
    bare = (re.sub(r"[ \u202f\u00a0,](?=\d{3})", "", found) for found in _FIGURES.findall(text))
    figures = {number.lstrip("0") or "0" for number in bare}
    return Stated(frozenset(figures | set(days(text, passage.language))), frozenset(_in_words(text, passage.language)))


def differences(one: Passage, other: Passage) -> set[str]:
    """Numbers and days that only one of the two states. Between languages, a small number in words demands nothing."""
    first, second = stated(one), stated(other)
    if one.language == other.language:
        return set(first.all ^ second.all)
    return set((first.demands - second.all) | (second.demands - first.all))


def _scaled(found: re.Match[str]) -> str:
    scale = 1_000_000 if found[2].lower().startswith("million") else 1_000
    return str(round(float(found[1].replace(",", ".")) * scale))


def in_figures(text: str, language: str) -> str:
    """The text with its number words in figures, but for a lone "one", which is an article in many languages."""
    units, scales = _UNITS.get(language, {}), _SCALES.get(language, {})

    def counted(found: re.Match[str]) -> str:
        run = [word for word in _WORD.findall(found[0].lower()) if word in units or word in scales]
        return found[0] if not run or (run[0] in _ARTICLES and len(run) == 1) else str(_value(run, units, scales))

    scaled = _SCALED.sub(_scaled, text)
    return _RUNS[language].sub(counted, scaled) if language in _RUNS else scaled


def days(text: str, language: str) -> Iterator[str]:
    """The days named, as `4-5` for 4 May."""
    months = _MONTHS.get(language, {})
    if months:
        names = "|".join(months)
        for day, month in re.findall(rf"\b(\d{{1,2}})(?:st|nd|rd|th|er)? ({names})\b", text, re.IGNORECASE):
            yield f"{int(day)}-{months[month.lower()]}"
        for month, day in re.findall(rf"\b({names}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d)", text, re.IGNORECASE):
            yield f"{int(day)}-{months[month.lower()]}"


def _in_words(text: str, language: str) -> Iterator[str]:
    """Runs of number words; a lone "one" is an article."""
    units, scales = _UNITS.get(language, {}), _SCALES.get(language, {})
    for found in _RUNS[language].finditer(text) if language in _RUNS else ():
        run = [word for word in _WORD.findall(found[0].lower()) if word in units or word in scales]
        if run and not (len(run) == 1 and run[0] in _ARTICLES):
            yield str(_value(run, units, scales))


def _run(language: str, opening: str, joined: str) -> re.Pattern[str]:
    """Number words with a blank or hyphen between them. `opening` are scales that may stand first."""
    units = "|".join(sorted(_UNITS[language], key=len, reverse=True))
    every = f"{units}|{'|'.join(sorted(_SCALES[language], key=len, reverse=True))}"
    return re.compile(rf"\b(?:{units}{opening})(?:(?:[ -]|{joined})(?:{every}))*\b", re.IGNORECASE)


_RUNS = {
    "en": _run("en", "", "(?<=hundred) and |(?<=thousand) and "),
    "fr": _run("fr", "|(?<!pour )cent|mille", " et (?=une?\\b|onze)"),
}


def _value(run: list[str], units: dict[str, int], scales: dict[str, int]) -> int:
    total = current = 0
    for word in run:
        scale = scales.get(word)
        if word in ("vingt", "vingts") and current % 100 == 4:
            current += 76
        elif scale is None:
            current += units[word]
        elif scale == 100:
            current = max(1, current) * 100
        else:
            total, current = total + max(1, current) * scale, 0
    return total + current
