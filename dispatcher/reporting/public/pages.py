"""The plain pages in each language: what happens now, one incident, and the answer about a message's code."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dispatcher import resources
from dispatcher.reporting.public.publication import Publication, Publisher, Sent
from dispatcher.reporting.public.wording import as_html, clean
from dispatcher.reporting.public.words import Words, direction

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SPACE = re.compile(r"\s+")


def files(publication: Publication, languages: Mapping[str, Words], operator: Path | None = None) -> dict[str, bytes]:
    """Every page of the tree by its path: one file for each language, and one for everybody in our own."""
    pages = Pages(publication.publisher, languages, operator)
    made: dict[str, str] = {}
    for words in languages.values():
        made[words.file("index")] = pages.index(publication, words)
        made[words.file("404")] = pages.missing(words)
        for one in publication.incidents:
            stem = f"incidents/{one.ref}"
            made[words.file(stem)] = pages.page(
                "incident", words, root="../", stem=one.ref, one=one, publication=publication
            )
        made[words.file("verify/index")] = pages.explained(words)
        made[words.file("verify/404")] = pages.verified(None, words, root="../", stem="404")
        for sent in publication.sent:
            made[words.file(f"verify/{sent.code}/index")] = pages.verified(sent, words, root="../../")
    own = next(iter(languages.values()))
    ours = f".{own.language}.html"
    for_everybody = {path.removesuffix(ours) + ".html": text for path, text in made.items() if path.endswith(ours)}
    return {path: text.encode() for path, text in (for_everybody | made).items()}


class Pages:
    """The pages of one organisation. `operator` is a folder of own templates that come before the shipped ones."""

    def __init__(self, publisher: Publisher, languages: Mapping[str, Words], operator: Path | None = None) -> None:
        self._publisher, self._languages = publisher, languages
        self._env = _environment(operator)
        source = self._env.get_template("public.css").render()
        self._style = _SPACE.sub(" ", _COMMENT.sub("", source)).strip()

    @property
    def policy(self) -> str:
        """The content security policy under which these pages are shown."""
        return (
            f"default-src 'none'; style-src '{self._hash()}'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )

    def _hash(self) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()

    def page(self, name: str, words: Words, *, root: str = "", stem: str = "index", **more: object) -> str:
        """One page. `root` leads to the top of the tree; `stem` is the page's own name without language and ending."""
        others = [(one, one.file(stem)) for one in self._languages.values() if one is not words] if stem else []
        return self._env.get_template(f"{name}.html.jinja").render(
            words=words,
            publisher=self._publisher,
            style=Markup(self._style),  # noqa: S704 - our own file, not data
            style_hash=self._hash(),
            home=f"{root}{words.file('index')}",
            others=others,
            **more,
        )

    def index(self, publication: Publication, words: Words) -> str:
        """What happens now, how the services work, what has been."""
        return self.page(
            "index",
            words,
            publication=publication,
            standing=list(publication.standing()),
            past=[one for one in publication.incidents if one.is_over],
            feed="history" if words.language == words.own else f"history.{words.language}",
        )

    def missing(self, words: Words) -> str:
        """For an address that leads nowhere."""
        return self.page("plain", words, stem="404", title=words["missing"], lines=[], ask=False)

    def asked(self, words: Words, *, root: str) -> str:
        """The page that asks for a code, where somebody answers."""
        line = words["verify_ask"].format(name=self._publisher.name)
        return self.page("plain", words, root=root, stem="", title=words["verify_title"], lines=[line], ask=True)

    def explained(self, words: Words) -> str:
        """The page that tells where to type a code, where nobody answers."""
        address = f"{self._publisher.url}/verify/…/"
        line = words["verify_static"].format(name=self._publisher.name, address=address)
        return self.page("plain", words, root="../", title=words["verify_title"], lines=[line], ask=False)

    def verified(self, sent: Sent | None, words: Words, *, root: str, stem: str = "index") -> str:
        """Whether we sent what carries this code. None: we did not."""
        name = self._publisher.name
        if sent is None:
            lines = [words["verify_no_words"].format(name=name)]
            return self.page("plain", words, root=root, stem=stem, title=words["verify_no"], lines=lines, ask=False)
        when, how = words.moment(sent.at), words.channels(sent.channels)
        lines = [words["verify_what"].format(name=name, title=sent.title.rstrip("."))]
        lines.append(words["verify_when"].format(when=when, how=how))
        lines += [words["verify_stopped"]] * sent.stopped
        title = words["verify_drill" if sent.drill else "verify_yes"]
        return self.page("plain", words, root=root, stem=stem, title=title, lines=lines, ask=False)


@lru_cache(maxsize=4)
def _environment(operator: Path | None) -> Environment:
    folders = resources.folders("templates", operator)
    env = Environment(
        loader=FileSystemLoader([folder / "pages" / "public" for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["words_as_html"] = lambda text, under: Markup(as_html(text, under=under))  # noqa: S704 - made safe there
    env.filters["clean"] = clean
    env.filters["direction"] = direction
    return env
