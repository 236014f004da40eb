"""Documents as they are handed on: Markdown and plain text as pages that print well, letters as they are.

Nothing is fetched and nothing runs: one file each, readable in any browser and fit for a printer.
"""

import base64
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

from dispatcher.errors import ConfigurationError
from dispatcher.model.rendition import Slot, SlotForm
from dispatcher.model.template import Document

_WRITTEN_OUT = re.compile(r"data:(image/(?:png|jpeg));base64,([A-Za-z0-9+/=]+)")
PDF_EXTRA = "pip install 'crisis-dispatcher[pdf]'"


def filled(one: Document, value_of: Callable[[Slot], str]) -> str:
    """The text with a value in each slot, escaped where the document is HTML."""
    text = one.text
    for slot in one.slots:
        value = value_of(slot)
        text = text.replace(slot.tag, escape(value) if slot.form is SlotForm.HTML else value)
    return text


def by_default(slot: Slot) -> str:
    """What a slot says where there is no recipient."""
    return slot.default or ""


def as_html(one: Document, text: str | None = None) -> str:
    """A page of its own. `text` is the document with its slots filled; by their defaults if it is not given."""
    said = filled(one, by_default) if text is None else text
    if one.format == "html":
        return said
    body = _of_markdown(said) if one.format == "md" else _of_lines(said)
    style = Path(__file__).with_name("paper.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="{escape(one.locale)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title_of(said))}</title><style>{style}</style></head>"
        f'<body class="{escape(one.name)}"><main>{body}</main></body></html>\n'
    )


def title_of(text: str) -> str:
    """The first line that says anything, without its marks."""
    lines = (line.lstrip("# ").replace("\\", "").strip() for line in text.splitlines())
    return next(filter(None, lines), "")


def _of_markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    html: str = MarkdownIt("commonmark", {"html": False, "linkify": False}).render(text)
    return html


def _of_lines(text: str) -> str:
    paragraphs = (p.strip() for p in text.split("\n\n"))
    return "".join(f"<p>{escape(p).replace(chr(10), '<br>')}</p>" for p in paragraphs if p)


def as_pdf(html: str) -> bytes:
    """The page on paper, tagged for screen readers (PDF/UA). Nothing is fetched while it is made."""
    try:
        from weasyprint import HTML
    except ImportError:
        raise ConfigurationError("PDF needs one more package.", mend=PDF_EXTRA, code="E-PDF") from None
    except OSError as error:
        raise ConfigurationError(
            "PDF needs the system library Pango.",
            why=f"{error}.",
            mend="Debian: apt install libpango-1.0-0",
            code="E-PDF",
        ) from None
    made: bytes = HTML(string=html, url_fetcher=_fetch).write_pdf(pdf_variant="pdf/ua-1")
    return made


def _fetch(url: str, *_more: object, **_rest: object) -> object:
    """What is written out in the page itself; nothing from anywhere else."""
    from weasyprint import urls

    written = _WRITTEN_OUT.fullmatch(url)
    if written is None:
        raise ValueError(f"{url[:80]} is not fetched")
    kind, body = written[1], base64.b64decode(written[2])
    answer = getattr(urls, "URLFetcherResponse", None)  # until 67 a dict is what it takes, from 70 on none
    return answer(url, body, {"Content-Type": kind}) if answer else {"string": body, "mime_type": kind}
