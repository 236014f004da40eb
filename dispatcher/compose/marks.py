"""The mark of a drill. The renderer puts it on, so that no template can forget it or leave it out."""

import re
from collections.abc import Mapping

from dispatcher.model.kinds import Channel

_WORD = {"en": "EXERCISE", "fr": "EXERCICE", "cy": "YMARFER", "de": "ÜBUNG", "es": "SIMULACRO"}
_SENTENCE = {
    "en": "This is an exercise. Nothing of this has happened.",
    "fr": "Ceci est un exercice. Rien de tout cela ne s'est produit.",
    "cy": "Ymarfer yw hwn. Nid oes dim o hyn wedi digwydd.",
    "de": "Dies ist eine Übung. Nichts davon ist passiert.",
    "es": "Esto es un simulacro. Nada de esto ha pasado.",
}
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*>", re.IGNORECASE)
_END = re.compile(r"</body\s*>(?!.*</body)", re.IGNORECASE | re.DOTALL)
_STYLE = "background-color:#1a1a1a;color:#ffffff;font:bold 18px Arial,sans-serif;padding:12px 16px;text-align:center"


def word(locale: str) -> str:
    """The word that marks a drill in this language."""
    return _WORD.get(locale.split("-")[0], _WORD["en"])


def _sentence(locale: str) -> str:
    return _SENTENCE.get(locale.split("-")[0], _SENTENCE["en"])


def mark_parts(channel: Channel, locale: str, parts: Mapping[str, str]) -> dict[str, str]:
    """The parts of a rendition, each beginning with the mark; mail also ends with it."""
    return {name: _mark(name, text, locale, framed=channel is Channel.EMAIL) for name, text in parts.items()}


def mark_document(text: str, locale: str, *, html: bool) -> str:
    """A document between two marks."""
    return _frame_html(text, locale) if html else _frame_text(text, locale)


def _mark(name: str, text: str, locale: str, *, framed: bool) -> str:
    if name == "html":
        return _frame_html(text, locale)
    if name == "subject":
        return f"[{word(locale)}] {text}"
    return _frame_text(text, locale) if framed else f"{word(locale)}: {text}"


def _frame_text(text: str, locale: str) -> str:
    mark = f"{word(locale)}. {_sentence(locale)}"
    return f"{mark}\n\n{text}\n\n{mark}"


def _frame_html(text: str, locale: str) -> str:
    """In the title, and inside the body where there is one, else around the whole."""
    text = _TITLE.sub(lambda found: f"{found[0]}[{word(locale)}] ", text, count=1)
    mark = f'<div style="{_STYLE}"><strong>{word(locale)}</strong> {_sentence(locale)}</div>'
    opened = _BODY.search(text)
    if not opened:
        return mark + text + mark
    begun = text[: opened.end()] + mark + text[opened.end() :]
    closed = _END.search(begun)
    return begun[: closed.start()] + mark + begun[closed.start() :] if closed else begun + mark
