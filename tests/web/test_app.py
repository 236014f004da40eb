"""What every answer has in common, and what is not there."""

import json

import pytest

from dispatcher.bootstrap import build
from dispatcher.web.app import create
from dispatcher.web.pages import page

PATHS = ["/healthz", "/unsubscribe/x", "/webhooks/mail", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_security_headers(site, path):
    _, headers, _ = site.ask("GET", path)
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert "server" not in headers


def test_without_https_nobody_is_told_to_insist_on_it(serve, make_settings):
    settings = make_settings(port=0)
    settings.work_dir.mkdir(parents=True)
    ctx = build(settings)
    assert "strict-transport-security" not in serve(ctx).ask("GET", "/healthz")[1]
    ctx.ledger.close()


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/redoc", "/openapi.json", "/favicon.ico", "/../etc/passwd", "/%2e%2e/x"]
)
def test_nothing_describes_itself(site, path):
    code, _, said = site.ask("GET", path)
    assert code == 404
    assert json.loads(said) == {"code": "E-NOF", "what": "There is nothing here."}


def test_a_page_is_plain_text_in_plain_html():
    shown = page("<Stop>", "a & b <script>", button='"Now"')
    assert "<script" not in shown
    assert "<h1>&lt;Stop&gt;</h1><p>a &amp; b &lt;script&gt;</p>" in shown
    assert '<html lang="en">' in shown
    assert "&quot;Now&quot;</button>" in shown


def test_closing_the_application_ends_its_threads(ctx):
    import asyncio
    import threading

    async def live():
        app = create(ctx)
        async with app.router.lifespan_context(app):
            pass

    before = threading.active_count()
    asyncio.run(live())
    assert threading.active_count() <= before
