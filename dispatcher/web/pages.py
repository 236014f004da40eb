"""The plain pages: no script, one small style sheet, readable without either."""

import base64
import hashlib
import html

STYLE = (
    "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#111;"
    "background:#fff}button{font:inherit;padding:.6rem 1.2rem;border:2px solid #111;background:#111;color:#fff;"
    "border-radius:.3rem}@media(prefers-color-scheme:dark){body{color:#eee;background:#111}"
    "button{border-color:#eee;background:#eee;color:#111}}"
)
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""For the content security policy: this style sheet and no other."""


def page(title: str, *paragraphs: str, button: str = "") -> str:
    """A page of text. `button` posts to the page's own address. Everything is escaped here."""
    said = "".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
    form = f'<form method="post"><button type="submit">{html.escape(button)}</button></form>' if button else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>{said}{form}</main></body></html>"
    )
