"""Looks at finished HTML: a recipient's value may stand in text only, never in an attribute, a script or a style."""

from collections.abc import Sequence
from html.parser import HTMLParser

from dispatcher.errors import TemplateError
from dispatcher.model.rendition import Slot

_RAW = ("script", "style", "title", "textarea")


class _Finder(HTMLParser):
    def __init__(self, slots: Sequence[Slot]) -> None:
        super().__init__(convert_charrefs=True)
        self._slots, self._within = slots, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" or any(name.startswith("on") for name, _ in attrs):
            raise TemplateError("The mail holds a script.", mend="Take it out; no mail client runs it.")
        self._within = tag if tag in _RAW else ""
        for name, value in attrs:
            self._refuse(value or "", f"the attribute {name} of <{tag}>")

    def handle_endtag(self, tag: str) -> None:
        self._within = "" if tag == self._within else self._within

    def handle_data(self, data: str) -> None:
        if self._within:
            self._refuse(data, f"<{self._within}>")

    def handle_comment(self, data: str) -> None:
        self._refuse(data, "a comment")

    def _refuse(self, text: str, place: str) -> None:
        for slot in self._slots:
            if slot.tag in text:
                raise TemplateError(
                    f"recipient.{slot.name} stands in {place}.",
                    why="A value there could become markup.",
                    mend="Print it in running text only.",
                )


def check_html(text: str, slots: Sequence[Slot]) -> None:
    """Return if every slot stands in running text and nothing in it could run."""
    finder = _Finder(slots)
    finder.feed(text)
    finder.close()
