"""Released Markdown as HTML and as plain text. HTML inside the words stays text, whoever wrote it.

The words come from pages of ours, where facts are escaped already; the reader here allows headings, paragraphs, lists,
emphasis and links with http(s), mail and telephone addresses, and nothing that loads or runs.
"""

import html
import re
from functools import cache
from typing import TYPE_CHECKING

from dispatcher.reporting.public.publication import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LINK = re.compile(r"(?i)^(?:https?://|mailto:|tel:)")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
"""Characters that XML cannot hold, or that turn the direction of what follows."""


@cache
def _reader() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])
    reader.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    return reader


def clean(text: str) -> str:
    """Without characters that no reader should be handed."""
    return _FORBIDDEN.sub("", text)


def as_html(text: Text, *, under: int = 2) -> str:
    """The body as HTML. Headings in it stand under one of level `under`."""
    body = clean(text.body)
    if not text.markdown:
        return "".join(f"<p>{html.escape(part)}</p>\n" for part in body.split("\n\n") if part.strip())
    tokens = _reader().parse(body)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) - 1 + under)}"
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noopener noreferrer")
    return str(_reader().renderer.render(tokens, _reader().options, {}))


def plain(text: Text) -> str:
    """The body as people would type it: no marks, a blank line between paragraphs."""
    if not text.markdown:
        return clean(text.body)
    blocks: list[str] = []
    marks: list[str] = []
    for token in _reader().parse(clean(text.body)):
        if token.type in ("ordered_list_open", "bullet_list_open"):
            marks.append("-")
        elif token.type in ("ordered_list_close", "bullet_list_close"):
            marks.pop()
        elif token.type == "inline":
            said = _said(token.children or ())
            blocks.append(f"{marks[-1]} {said}" if marks else said)
    return re.sub(r"(?m)(^- .*)\n\n(?=- )", r"\1\n", "\n\n".join(blocks))


def _said(children: "Sequence[Token]") -> str:
    """A line of words; where a link leads stands behind it."""
    pieces: list[str] = []
    leads = ""
    for child in children:
        if child.type == "link_open":
            leads = str(child.attrGet("href") or "")
        elif child.type == "link_close" and leads.removeprefix("mailto:") != pieces[-1]:
            pieces.append(f" ({leads})")
        else:
            pieces.append(child.content or "\n" * child.type.endswith("break"))
    return "".join(pieces)


def headline(markdown: str) -> tuple[str, str]:
    """The first heading of a page as plain text, and the page without it."""
    head, _, rest = markdown.lstrip().partition("\n")
    if not head.startswith("# "):
        return "", markdown
    return plain(Text("", "", head.removeprefix("# "))), rest.strip()
