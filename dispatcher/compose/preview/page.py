"""Frames, documents and findings as one HTML page that needs nothing else: no script, no network, no font.

Mail stands in frames without any right (`sandbox`), in the light and in the dark palette and without pictures, with its
text part beside it; text messages show where their segments break; posts show how full they are.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from dispatcher.compose import paper
from dispatcher.compose.lint.rules import Finding, Weight
from dispatcher.compose.preview.frames import Change, Changed, Frame, Measure
from dispatcher.model.kinds import Channel
from dispatcher.model.template import Document

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:"
_DARK = re.compile(r"@media\s*\(\s*prefers-color-scheme\s*:\s*dark\s*\)")
_SCHEMES = re.compile(r'(name="(?:supported-color-schemes|color-scheme)" content=")[^"]*"')
_SOURCE = re.compile(r"(<img\b[^>]*?)\ssrc=\"[^\"]*\"")
_PREHEADER = re.compile(r"<div[^>]*display:\s*none[^>]*>(.*?)</div>", re.DOTALL)
_MAIL_VIEWS = (("light", "@media not all"), ("dark", "@media all"))
_NAMES = {Channel.EMAIL: "Mail", Channel.SMS: "Text message", Channel.SOCIAL: "Posts", Channel.CHAT: "Chat"}
_MARKS = {"kept": "{}", "added": "<ins>{}</ins>", "removed": "<del>{}</del>"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed, and the ref of the broadcast it is compared with."""

    ref: str
    changes: Sequence[Changed]


def as_html(
    title: str,
    frames: Sequence[Frame],
    documents: Sequence[Document] = (),
    findings: Sequence[Finding] = (),
    compared: Comparison | None = None,
    note: str = "",
) -> str:
    """The whole page. `note` says below the title which state of what is shown."""
    sections = [*_findings(findings), *_changes(compared), *_channels(frames), *_documents(documents)]
    contents = "".join(f'<li><a href="#{name}">{escape(head)}</a></li>' for name, head, _ in sections)
    shown = "".join(f'<section id="{name}"><h2>{escape(head)}</h2>{inner}</section>' for name, head, inner in sections)
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><header><h1>{escape(title)}</h1>{f'<p>{escape(note)}</p>' if note else ''}"
        f'<nav aria-label="On this page"><ul>{contents}</ul></nav></header><main>{shown}</main></body></html>\n'
    )


_Section = tuple[str, str, str]
"""Its id, its heading, its inside."""


def _findings(findings: Sequence[Finding]) -> Iterable[_Section]:
    if findings:
        blocking = sum(finding.weight is Weight.BLOCK for finding in findings)
        head = f"Findings: {blocking} block, {len(findings) - blocking} warn"
        yield "findings", head, f'<ul class="findings">{"".join(map(_finding, findings))}</ul>'


def _finding(finding: Finding) -> str:
    where = " ".join(filter(None, (finding.channel, finding.part, finding.locale, finding.variant))) or "the whole"
    line = f", line {finding.line}" if finding.line else ""
    weight = "blocks" if finding.weight is Weight.BLOCK else "warns"
    quoted = f' <q lang="{escape(finding.locale or "en")}">{escape(finding.words)}</q>' if finding.words else ""
    return (
        f'<li class="{weight}"><p><strong>{finding.rule} {weight}</strong> <span class="where">{escape(where + line)}'
        f"</span></p><p>{escape(finding.what)}{quoted}</p><p>{escape(finding.mend)}</p></li>"
    )


def _channels(frames: Sequence[Frame]) -> Iterable[_Section]:
    for channel in dict.fromkeys(frame.channel for frame in frames):
        shown = "".join(_frame(frame) for frame in frames if frame.channel is channel)
        yield channel, _NAMES[channel], f'<div class="row {channel}">{shown}</div>'


def _frame(frame: Frame) -> str:
    title = " · ".join(filter(None, (frame.locale, frame.variant, frame.sample)))
    inner = f'<p class="refusal">{escape(frame.refusal)}</p>' if frame.refusal else _inner(frame)
    return f'<article class="frame"><h3>{escape(title)}</h3>{inner}</article>'


def _inner(frame: Frame) -> str:
    measures = {measure.part: measure for measure in frame.measures}
    if frame.channel is Channel.EMAIL:
        return _mail(frame, measures)
    if frame.channel is Channel.SOCIAL:
        posts = (f"<li>{_text('card', frame, text)}{_meter(measures[name])}</li>" for name, text in frame.parts.items())
        return f'<ol class="thread">{"".join(posts)}</ol>'
    measure = measures.get("text")
    text = _cut(frame.parts["text"], measure.cuts if measure else ())
    bubble = f'<p class="bubble" lang="{escape(frame.locale)}" dir="auto">{text}</p>'
    return f'<div class="phone">{bubble}</div>{_meter(measure) if measure else ""}'


def _text(css: str, frame: Frame, text: str) -> str:
    return f'<p class="{css}" lang="{escape(frame.locale)}" dir="auto">{escape(text)}</p>'


def _cut(text: str, cuts: Sequence[int]) -> str:
    """The text with a mark where each further segment begins, in words for those who do not see the line."""
    edges = (0, *cuts, len(text))
    pieces = [escape(text[start:end]) for start, end in pairwise(edges)]
    marks = (f'<span class="cut"> segment {number} </span>' for number in range(2, len(pieces) + 1))
    return pieces[0] + "".join(mark + piece for mark, piece in zip(marks, pieces[1:], strict=True))


def _meter(measure: Measure) -> str:
    pieces = f", {measure.pieces} segments" if measure.cuts else ""
    words = f"{measure.used} of {measure.limit} {measure.unit}{pieces}. {measure.note}".strip()
    label = f'<span class="{"" if measure.fits else "over"}">{escape(words)}</span>'
    return (
        f'<label class="meter"><meter min="0" max="{measure.limit}" high="{round(measure.limit * 0.98)}" '
        f'value="{min(measure.used, measure.limit)}"></meter>{label}</label>'
    )


def _mail(frame: Frame, measures: Mapping[str, Measure]) -> str:
    html, name = _with_picture(frame), f"{frame.locale} {frame.sample}"
    text = f'<div class="view"><h4>text</h4><pre class="plain" tabindex="0" lang="{escape(frame.locale)}" dir="auto">'
    text += f"{escape(frame.parts['text'])}</pre></div>"
    if html is None:
        inbox = _inbox(frame.parts["subject"], frame.parts["text"])
        return f'{inbox}{_meter(measures["subject"])}<div class="views">{text}</div>'
    views = "".join(_view(kind, _palette(html, kind, media), name) for kind, media in _MAIL_VIEWS)
    if "<img" in html:
        views += _view("images off", _SOURCE.sub(r"\1", _palette(html, *_MAIL_VIEWS[0])), name)
    else:
        views += "<p>It has no pictures: with images off it looks the same.</p>"
    return (
        f"{_inbox(frame.parts['subject'], html)}{_meter(measures['subject'])}"
        f'<div class="views">{views}{text}</div>{_meter(measures["html"])}'
    )


def _with_picture(frame: Frame) -> str | None:
    """The HTML with the picture that goes along written out in it, for here is no mail around it."""
    html, picture = frame.parts.get("html"), frame.picture
    return html.replace(f"cid:{picture.cid}", picture.url) if html and picture else html


def _inbox(subject: str, html: str) -> str:
    """The line in which a mail program lists it: the subject, then the first words."""
    hidden = _PREHEADER.search(html)
    first = f' <span class="first">{hidden[1].strip()}</span>' if hidden and "<" not in hidden[1] else ""
    return f'<p class="inbox"><strong>{escape(subject)}</strong>{first}</p>'


def _palette(html: str, kind: str, media: str) -> str:
    return _SCHEMES.sub(rf'\1{kind}"', _DARK.sub(media, html))


def _view(kind: str, html: str, of: str) -> str:
    frame = f'<iframe sandbox title="{escape(of)}, {kind}" srcdoc="{escape(html, quote=True)}"></iframe>'
    return f'<div class="view"><h4>{kind}</h4>{frame}</div>'


def _documents(documents: Sequence[Document]) -> Iterable[_Section]:
    if documents:
        yield "documents", "Documents", f'<div class="row documents">{"".join(map(_document, documents))}</div>'


def _document(one: Document) -> str:
    title = " · ".join(filter(None, (one.name, one.locale, one.variant)))
    html = _DARK.sub(_MAIL_VIEWS[0][1], paper.as_html(one)).replace("color-scheme: light dark", "color-scheme: light")
    frame = f'<iframe class="sheet" sandbox title="{escape(title)}" srcdoc="{escape(html, quote=True)}"></iframe>'
    return f'<article class="frame"><h3>{escape(title)}</h3>{frame}</article>'


def _changes(compared: Comparison | None) -> Iterable[_Section]:
    """What is new against the last update, word by word."""
    if compared and compared.changes:
        shown = "".join(map(_change, compared.changes))
        yield "changes", f"Changed since {compared.ref}", f'<div class="row">{shown}</div>'


def _change(one: Changed) -> str:
    title = " · ".join(filter(None, (_NAMES[one.channel], one.locale, one.variant)))
    words = "".join(map(_marked, one.changes))
    note = '<p class="refusal">No word has changed.</p>' if one.is_same else ""
    text = f'<p class="plain" lang="{escape(one.locale)}" dir="auto">{words}</p>'
    return f'<article class="frame"><h3>{escape(title)}</h3>{note}{text}</article>'


def _marked(change: Change) -> str:
    return _MARKS[change.kind].format(escape(change.words).replace("{", "&#123;"))
