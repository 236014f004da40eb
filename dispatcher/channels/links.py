"""Where X sees a link in a post, with or without a scheme: each weighs 23 whatever its length.

Written from X's published text rules (twitter-text 3.1). A link without scheme needs a top-level domain of `tlds.txt`;
letters of other scripts may touch it on either side.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_MARKS = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_NEVER = "\ufffe\ufeff\uffff"
_SPACES = "\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_PUNCTUATION = r"!'#%&()*+,\\/:;<=>?@\[\]^{|}~$"
_ACCENTS = (
    "\xc0-\xd6\xd8-\xf6\xf8-\xff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    "\u02bb\u0300-\u036f\u1e00-\u1eff"
)
_WORDY = f"A-Za-z0-9\u0400-\u04ff{_ACCENTS}"

_RUN = re.compile(rf"[^{_PUNCTUATION}{_SPACES}{_NEVER}{_MARKS}]+")
"""The longest stretch that a domain can lie in: labels, dots, hyphens, underscores."""

_MAY_PRECEDE = re.compile(rf"[^A-Za-z0-9@＠$#＃{_NEVER}]")
_PORT = re.compile(r":[0-9]+")
_GENERAL = rf"[{_WORDY}!*';:=+,.$/%#\[\]\-–_~@|&]"
_PARENS = rf"\((?:{_GENERAL}+|{_GENERAL}*\({_GENERAL}+\){_GENERAL}*)\)"
_ENDING = rf"[{_WORDY}+\-=_#/]"
_PATH = re.compile(rf"/(?:{_GENERAL}*(?:{_PARENS}{_GENERAL}*)*{_ENDING}|{_PARENS}|@{_GENERAL}+/)*")
_QUERY_TEXT = r"\?[A-Za-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[A-Za-z0-9\-_&=#/]"
_QUERY = re.compile(_QUERY_TEXT)
_SHORTENED = re.compile(rf"https?://t\.co/([a-z0-9]+)(?:{_QUERY_TEXT})?", re.IGNORECASE | re.ASCII)
_SCHEME = re.compile(r"https?://", re.IGNORECASE | re.ASCII)
_PUNYCODE = re.compile(r"xn--[-0-9a-z]+", re.IGNORECASE | re.ASCII)
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_LATIN_LABELS = re.compile(rf"(?:[-A-Za-z0-9{_ACCENTS}]+\.)+")
_OTHER_DOTS = re.compile("[.\u3002\uff0e\uff61]")

LONGEST_LINK = 4096
_LONGEST_LABEL = 63
_LONGEST_SHORTENED = 40


class Link(NamedTuple):
    """Code point offsets of what one link covers."""

    start: int
    end: int


class _Found(NamedTuple):
    """One place where the grammar of a link fits, before the rules that may still refuse it."""

    before: str
    start: int
    domain: Link
    path: Link
    end: int
    schemed: bool


@cache
def _tlds() -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """Top-level domains in ASCII, and those of other scripts by first letter with the longest first."""
    lines = Path(__file__).with_name("tlds.txt").read_text(encoding="utf-8").splitlines()
    names = {name for line in lines if not line.startswith("#") for name in line.split()}
    others: dict[str, tuple[str, ...]] = {}
    for name in sorted((name for name in names if not name.isascii()), key=len, reverse=True):
        others[name[0]] = (*others.get(name[0], ()), name)
    return frozenset(filter(str.isascii, names)), others


def find(text: str) -> list[Link]:
    """Every link, in order."""
    found: list[Link] = []
    if "." not in text:
        return found
    for candidate in _candidates(text):
        found.extend(_accepted(text, candidate))
    return found


def _accepted(text: str, found: _Found) -> list[Link]:
    """What of a candidate counts: all of it, only its Latin domain, or nothing."""
    if not _plausible(text, found):
        return []
    if found.schemed:
        return _schemed(text, found)
    if found.before in ("-", "_", ".", "/"):
        return []
    return _schemeless(text, found)


def _schemed(text: str, found: _Found) -> list[Link]:
    short = _SHORTENED.match(text, found.start, found.end)
    if short is None:
        return [Link(found.start, found.end)]
    return [] if len(short[1]) > _LONGEST_SHORTENED else [Link(found.start, short.end())]


def _schemeless(text: str, found: _Found) -> list[Link]:
    """The Latin domains within; what follows the domain belongs to the last of them if it starts with a path."""
    spans = list(_latin_domains(text, found.domain))
    if spans and found.path.end > found.path.start:
        spans[-1] = Link(spans[-1].start, spans[-1].end + found.end - found.domain.end)
    return spans


def _plausible(text: str, found: _Found) -> bool:
    """No label too long once encoded, and not too long as a whole."""
    scheme = 0 if found.schemed else len("https://")
    if found.end - found.start + scheme > LONGEST_LINK:
        return False
    return all(map(_label_fits, text[slice(*found.domain)].split(".")))


def _label_fits(label: str) -> bool:
    if len(label) > _LONGEST_LABEL:
        return False
    pieces = _OTHER_DOTS.split(label)
    encoded = (piece if piece.isascii() else "xn--" + piece.encode("punycode").decode() for piece in pieces)
    return 1 <= len(".".join(encoded)) <= _LONGEST_LABEL


def _candidates(text: str) -> Iterator[_Found]:
    """Left to right, each starting after the one before; the character before a link belongs to it."""
    taken = 0
    for run in _RUN.finditer(text):
        if run.end() <= taken or not _has_tld(text, *run.span()):
            continue
        ends = _ends(text, *run.span())
        at = max(run.start(), taken)
        while found := _first_from(text, at, run.end(), ends, taken):
            yield found
            at = taken = found.end


def _first_from(text: str, start: int, stop: int, ends: dict[int, int], taken: int) -> _Found | None:
    """The first candidate whose domain starts between the two offsets."""
    for at in range(start, stop):
        if at == 0 and _MAY_PRECEDE.match(text) and _domain_end(text, 1, stop, ends):
            continue  # X takes the first character as the one before a link wherever it can
        for link_start in _starts(text, at, taken):
            domain_end = _domain_end(text, at, stop, ends)
            if domain_end is not None:
                before = text[link_start - 1] if _preceded(text, link_start, taken) else ""
                return _extended(text, before, link_start, at, domain_end)
    return None


def _starts(text: str, at: int, taken: int) -> Iterator[int]:
    """Where a link with its domain at this offset may begin: at its scheme, or at the domain itself."""
    for size in (8, 7):
        begin = at - size
        if begin >= taken and _SCHEME.fullmatch(text, begin, at) and _free_before(text, begin, taken):
            yield begin
            return
    if _free_before(text, at, taken):
        yield at


def _free_before(text: str, at: int, taken: int) -> bool:
    """Whether a link may start here. Beyond U+FFFF X's rules see two halves, and the first counts as what precedes."""
    return at == 0 or text[at] > "\uffff" or _preceded(text, at, taken)


def _preceded(text: str, at: int, taken: int) -> bool:
    """Whether the character before lets a link start; it may not belong to the link before."""
    return at > taken and bool(_MAY_PRECEDE.match(text, at - 1))


def _has_tld(text: str, start: int, stop: int) -> bool:
    """A quick no for the many runs with a dot and no top-level domain, such as the end of a sentence."""
    dot = text.find(".", start, stop)
    while dot != -1:
        if _tld_end(text, dot + 1, stop):
            return True
        dot = text.find(".", dot + 1, stop)
    return False


def _ends(text: str, start: int, stop: int) -> dict[int, int]:
    """Where the longest domain from the start of each label ends, if anywhere: found once, from the right."""
    ends: dict[int, int] = {}
    dot = text.rfind(".", start, stop)
    while dot != -1:
        label = text.rfind(".", start, dot) + 1 or start
        if end := _domain_end(text, label, stop, ends):
            ends[label] = end
        dot = text.rfind(".", start, dot)
    return ends


def _domain_end(text: str, start: int, stop: int, ends: dict[int, int]) -> int | None:
    """The end of the longest domain from here: labels, the last of them without underscore, a top-level domain."""
    dot = text.find(".", start, stop)
    if dot <= start or text[start] in "-_" or text[dot - 1] in "-_":
        return None
    if further := ends.get(dot + 1):
        return further
    return None if "_" in text[start:dot] else _tld_end(text, dot + 1, stop)


def _tld_end(text: str, at: int, stop: int) -> int | None:
    """The end of a top-level domain that starts here."""
    plain, others = _tlds()
    word = _ASCII_WORD.match(text, at, stop)
    if word and word[0].lower() in plain and _may_follow(text, word.end()):
        return word.end()
    for name in others.get(text[at : at + 1].lower(), ()) if not word else ():
        if text[at : min(stop, at + len(name))].lower() == name and _may_follow(text, at + len(name)):
            return at + len(name)
    coded = _PUNYCODE.match(text, at, stop)
    return coded.end() if coded else None


def _may_follow(text: str, at: int) -> bool:
    return at >= len(text) or not (text[at] in "@+-" or (text[at].isascii() and text[at].isalnum()))


def _extended(text: str, before: str, start: int, domain_start: int, domain_end: int) -> _Found:
    """Port, path and query behind the domain."""
    port = _PORT.match(text, domain_end)
    at = port.end() if port else domain_end
    path = _PATH.match(text, at)
    path_end = path.end() if path else at
    query = _QUERY.match(text, path_end)
    return _Found(
        before=before,
        start=start,
        domain=Link(domain_start, domain_end),
        path=Link(at, path_end),
        end=query.end() if query else path_end,
        schemed=start < domain_start,
    )


def _latin_domains(text: str, domain: Link) -> Iterator[Link]:
    """The stretches of a domain that are links without a scheme: labels of Latin letters and a top-level domain."""
    within = text[slice(*domain)]
    at = 0
    while labels := _LATIN_LABELS.search(within, at):
        end = next(
            (found for cut in _dots_back(within, *labels.span()) if (found := _tld_end(within, cut, len(within)))), None
        )
        if end is None:
            at = labels.end()
            continue
        yield Link(domain.start + labels.start(), domain.start + end)
        at = end


def _dots_back(within: str, start: int, end: int) -> Iterator[int]:
    """Offsets behind each dot of the stretch, last first."""
    while end > start:
        yield end
        end = within.rfind(".", start, end - 1) + 1
