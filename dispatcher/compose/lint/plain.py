"""Whether people can read it: short sentences, known words."""

import re
from collections.abc import Iterable

from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.lint.phrases import hits
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule

LONGEST_SENTENCE = 25
MOST_SENTENCES = 3
HIGHEST_GRADE = 8.0
"""School grade of the Flesch-Kincaid formula; 8 is read with ease at 13 to 14."""

_FEWEST_WORDS = 60
"""A shorter text says little about how hard it is."""

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_ADDRESS = re.compile(r"\S+@\S+|\S*(?:\w\.){1,3}(?:com|org|net|uk|fr)\S*|https?://\S+|\S*\d\S*")
_VOWELS = re.compile(r"[aeiouy]+")
_SOUNDED = ("le", "les", "ted", "ded", "ses", "ces", "ges", "xes", "zes")


@rule(
    "L29", Weight.WARN, "The text is hard to read.",
    why="A breach must be told in plain language, by law; tired and worried people read less well.",
    mend="Shorter sentences, shorter words.",
    source="GDPR Art. 34(2); GOV.UK, writing for GOV.UK",
)  # fmt: skip
def reading_level(case: Case) -> Iterable[Hit]:
    """Flesch-Kincaid grade of English mails, pages and letters."""
    for passage in case.of("email", "page", "letter"):
        if passage.language == "en" and passage.part not in ("subject", "html"):
            level = grade(passage)
            if level > HIGHEST_GRADE:
                yield Hit(passage, 0, f"grade {level:.1f}", f"The text reads at school grade {level:.1f}, above 8.")


def grade(passage: Passage) -> float:
    """Flesch-Kincaid grade of the sentences, without addresses and numbers; 0 for a text too short to tell."""
    told = [_WORD.findall(_ADDRESS.sub(" ", sentence.text)) for sentence in passage.sentences]
    told = [found for found in told if len(found) > 2]
    total = sum(map(len, told))
    if total < _FEWEST_WORDS:
        return 0.0
    syllables = sum(_syllables(word) for found in told for word in found)
    return 0.39 * total / len(told) + 11.8 * syllables / total - 15.59


def _syllables(word: str) -> int:
    """Groups of vowels, without a silent e or ed at the end."""
    lower = word.lower()
    count = len(_VOWELS.findall(lower))
    silent = lower.endswith(("e", "es", "ed")) and not lower.endswith(_SOUNDED)
    return max(1, count - silent)


@rule(
    "L30", Weight.WARN, "A sentence or paragraph is too long.",
    why="Over 25 words, many readers lose the thread.",
    mend="Cut it in two.",
    source="GOV.UK, writing for GOV.UK",
)  # fmt: skip
@each
def long_sentences(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Sentences over 25 words; paragraphs over three sentences. Posts are judged by their length alone."""
    if passage.target in ("sms", "social", "banner") or passage.is_html:
        return
    counts: dict[int, int] = {}
    for sentence in passage.sentences:
        counts[sentence.line] = counts.get(sentence.line, 0) + 1
        size = sum(any(map(str.isalnum, word)) for word in sentence.text.split())
        if size > LONGEST_SENTENCE:
            yield Hit(passage, sentence.line, _start(sentence.text), f"A sentence has {size} words.")
    for line, count in counts.items():
        if count > MOST_SENTENCES + 1:
            yield Hit(passage, line, _start(passage.lines[line - 1]), f"A paragraph has {count} sentences.")


def _start(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


@rule(
    "L31", Weight.WARN, "A word that customers do not use.",
    why="People do not care about our machines, they care about what stopped working for them.",
    mend="Say what it means for the reader.",
    source="PagerDuty, customer liaison training",
)  # fmt: skip
@each
def jargon(passage: Passage, case: Case) -> Iterable[Hit]:
    """Words of engineers and of security people, names of hosts; our own references are not meant."""
    reference = case.brief.incident_ref.lower()
    yield from (hit for hit in hits(passage, "jargon") if hit.words.lower() != reference)
