"""Frames, documents and findings as one HTML page that needs nothing else: no script, no network, no font.

Mail stands in frames without any right (`sandbox`), in the light and in the dark palette; text messages show where
their segments break; posts show how full they are.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from dispatcher.compose.lint.rules import Finding, Weight
from dispatcher.compose.preview.frames import Frame, Measure, compare
from dispatcher.model.kinds import Channel
from dispatcher.model.template import Document

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:"
_DARK = re.compile(r"@media\s*\(\s*prefers-color-scheme\s*:\s*dark\s*\)")
_MAIL_VIEWS = (("light", "@media not all"), ("dark", "@media all"))

Previous = Mapping[tuple[str, str], str]
"""What the last update said, by channel and locale: the text of a mail or text message, the posts of a thread."""


def as_html(
    title: str,
    frames: Sequence[Frame],
    documents: Sequence[Document] = (),
    findings: Sequence[Finding] = (),
    previous: Previous | None = None,
) -> str:
    """The whole page."""
    sections = [_findings(findings), *_channels(frames), *_documents(documents), *_changes(frames, previous or {})]
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{''.join(filter(None, sections))}</main></body></html>\n"
    )


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    rows = "".join(_finding(finding) for finding in findings)
    head = "".join(f'<th scope="col">{word}</th>' for word in ("Weight", "Rule", "Where", "What", "Mend"))
    return f"<section><h2>Findings</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></section>"


def _finding(finding: Finding) -> str:
    where = " ".join(filter(None, (finding.channel, finding.part, finding.locale))) or "the whole"
    line = f", line {finding.line}" if finding.line else ""
    weight = "blocks" if finding.weight is Weight.BLOCK else "warns"
    quoted = f" ({finding.words})" if finding.words else ""
    cells = (weight, finding.rule, f"{where}{line}", f"{finding.what}{quoted}", finding.mend)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _channels(frames: Sequence[Frame]) -> Iterable[str]:
    for channel in dict.fromkeys(frame.channel for frame in frames):
        shown = "".join(_frame(frame) for frame in frames if frame.channel is channel)
        yield f'<section><h2>{escape(channel)}</h2><div class="row">{shown}</div></section>'


def _frame(frame: Frame) -> str:
    title = " ".join(filter(None, (frame.locale, frame.variant, frame.sample)))
    inner = f'<p class="refusal">{escape(frame.refusal)}</p>' if frame.refusal else _inner(frame)
    return f'<article class="frame"><h3>{escape(title)}</h3>{inner}</article>'


def _inner(frame: Frame) -> str:
    measures = {measure.part: measure for measure in frame.measures}
    if frame.channel is Channel.EMAIL:
        return _mail(frame.parts, measures)
    if frame.channel is Channel.SOCIAL:
        return "".join(f'<p class="card">{escape(t)}</p>{_meter(measures[n])}' for n, t in frame.parts.items())
    text = frame.parts["text"]
    measure = measures.get("text")
    return f'<p class="bubble">{_cut(text, measure.cuts if measure else ())}</p>{_meter(measure) if measure else ""}'


def _cut(text: str, cuts: Sequence[int]) -> str:
    edges = (0, *cuts, len(text))
    pieces = (escape(text[start:end]) for start, end in pairwise(edges))
    return '<span class="cut" title="next segment"></span>'.join(pieces)


def _meter(measure: Measure) -> str:
    pieces = f", {measure.pieces} segments" if measure.cuts else ""
    words = f"{measure.used} of {measure.limit} {measure.unit}{pieces}. {measure.note}".strip()
    label = f'<span class="{"" if measure.fits else "over"}">{escape(words)}</span>'
    return (
        f'<label><meter min="0" max="{measure.limit}" high="{round(measure.limit * 0.98)}" '
        f'value="{min(measure.used, measure.limit)}"></meter>{label}</label>'
    )


def _mail(parts: Mapping[str, str], measures: Mapping[str, Measure]) -> str:
    views = "".join(_mail_view(name, _DARK.sub(media, parts["html"])) for name, media in _MAIL_VIEWS)
    if "<img" in parts["html"]:
        views += _mail_view("images off", re.sub(r"(<img\b[^>]*?)\ssrc=\"[^\"]*\"", r"\1", parts["html"]))
    return (
        f"<p><strong>{escape(parts['subject'])}</strong></p>{_meter(measures['subject'])}{views}"
        f'<h3>text</h3><pre class="plain">{escape(parts["text"])}</pre>{_meter(measures["html"])}'
    )


def _mail_view(name: str, html: str) -> str:
    return f'<h3>{name}</h3><iframe sandbox title="Mail, {name}" srcdoc="{escape(html, quote=True)}"></iframe>'


def _documents(documents: Sequence[Document]) -> Iterable[str]:
    if not documents:
        return
    shown = "".join(map(_titled_document, documents))
    yield f'<section><h2>documents</h2><div class="row">{shown}</div></section>'


def _titled_document(one: Document) -> str:
    title = " ".join(filter(None, (one.name, one.locale, one.variant)))
    return f'<article class="frame"><h3>{escape(title)}</h3>{_document(one)}</article>'


def _document(one: Document) -> str:
    return _mail_view(one.name, one.text) if one.format == "html" else f'<pre class="plain">{escape(one.text)}</pre>'


def _changes(frames: Sequence[Frame], previous: Previous) -> Iterable[str]:
    """What is new against the last update, word by word, once for each channel and locale."""
    seen = {(str(frame.channel), frame.locale): _said(frame) for frame in reversed(frames)}
    shown = "".join(_change(key, previous[key], said) for key, said in reversed(seen.items()) if key in previous)
    if shown:
        yield f'<section><h2>Changed since the last update</h2><div class="row">{shown}</div></section>'


def _said(frame: Frame) -> str:
    if frame.channel is Channel.SOCIAL:
        return "\n\n".join(frame.parts.values())
    return frame.parts.get("text", "")


def _change(key: tuple[str, str], before: str, after: str) -> str:
    mark = {"kept": "{}", "added": "<ins>{}</ins>", "removed": "<del>{}</del>"}
    words = "".join(mark[change.kind].format(escape(change.words)) for change in compare(before, after))
    return f'<article class="frame"><h3>{escape(" ".join(key))}</h3><p class="plain">{words}</p></article>'
