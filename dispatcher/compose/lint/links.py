"""Links: none that a swindler would send."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import SplitResult, unquote, urlsplit

from dispatcher.channels import links
from dispatcher.compose.brief import Brief
from dispatcher.compose.lint.passages import Link, Passage
from dispatcher.compose.lint.phrases import of_swindlers, says
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule
from dispatcher.model.fact import FactKind
from dispatcher.model.kinds import FactState
from dispatcher.model.template import Profile

PUBLIC_BODIES = ("gov.uk", "ico.org.uk", "nhs.uk", "police.uk", "cnil.fr", "gouv.fr", "europa.eu")
"""Hosts of authorities that notices point to."""

_SHORTENERS = frozenset(
    ("bit.ly", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "lnkd.in", "ow.ly", "rb.gy", "rebrand.ly", "s.id", "t.co",
     "shorturl.at", "t.ly", "tiny.cc", "tinyurl.com", "v.gd")
)  # fmt: skip
_TRACKING = re.compile(r"(?:^|&)(?:utm_\w+|fbclid|gclid|mc_eid|mkt_tok|_hsenc|trk|cid)=", re.IGNORECASE)
_REDIRECT = re.compile(r"(?:^|&)(?:url|redirect|target|next|goto|dest)=https?(?::|%3a)", re.IGNORECASE)
_DOOR = re.compile(
    r"log-?in|sign-?in|signon|reset|password|verify|confirm|unlock|account|connexion|compte|mot-?de-?passe|identifiant",
    re.IGNORECASE,
)
_DOOR_HOST = re.compile(r"(?:log-?in|sign-?in|auth|sso|accounts?|connexion|compte)\.", re.IGNORECASE)
_NUMBERS = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+))*\.?")
"""An address of the network in other figures than usual: 0xC0000207 is 192.0.2.7."""
_ADDRESS = re.compile(
    r"(?<![\w.@])([\w.+%'-]+)(?:[@\uff20]| ?[(\[](?:at|@|à|arobase)[)\]] ?)"
    r"((?:[\w-]+(?:\.| ?[(\[](?:dot|point)[)\]] ?))+[^\W\d_][\w-]+)",
    re.IGNORECASE,
)
"""A mail address, also one that is written so that no machine should read it."""
_SPELT_DOT = re.compile(r" ?[(\[](?:dot|point)[)\]] ?")
_NAMED_HOST = re.compile(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/:?#]|$)", re.IGNORECASE)


def _split(link: Link) -> SplitResult:
    target = link.target if "://" in link.target else f"https://{link.target}"
    return urlsplit(target)


def _web(passage: Passage) -> Iterator[tuple[Link, SplitResult]]:
    for link in passage.links:
        if not link.target.lower().startswith(("mailto:", "tel:", "sms:", "#")):
            yield link, _split(link)


@rule(
    "L16", Weight.BLOCK, "A link leads to a page where people sign in or reset a password.",
    why="This is what a forged message looks like. People must learn that ours never do it.",
    mend="Ask people to type our address themselves.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
@each
def doors(passage: Passage, case: Case) -> Iterable[Hit]:
    """In breach notices and warnings; the verification page of our own is no door."""
    if not (case.template.profile.is_breach or case.template.profile is Profile.WARNING):
        return
    ours = _bare(case.brief.organisation.verify_url)
    for link, url in _web(passage):
        door = _DOOR.search(unquote(f"{url.path}?{url.query}")) or _DOOR_HOST.match(url.hostname or "")
        if door and _bare(link.target) != ours:
            yield Hit(passage, link.line, link.target)


def _bare(address: str) -> str:
    return address.lower().removeprefix("https://").rstrip("/")


@rule(
    "L17", Weight.BLOCK, "A link hides where it leads.",
    why="Shortened, redirecting and tracking links are how people are led astray.",
    mend="Use the full https address of the page, without tracking.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
@each
def disguises(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Not https, shortened, redirected, tracked, a bare IP, a user part, punycode or mixed scripts."""
    for link, url in _web(passage):
        if reason := _disguise(url):
            yield Hit(passage, link.line, link.target, f"A link {reason}.")


def _disguise(url: SplitResult) -> str:
    host = (url.hostname or "").lower()
    if url.scheme != "https":
        return "does not start with https"
    if url.username is not None:
        return "names a user before its host"
    if host.removeprefix("www.") in _SHORTENERS:
        return "is shortened"
    if _is_ip(host):
        return "leads to a number instead of a name"
    if "xn--" in host or _mixed(host):
        return "has a host that can be taken for another"
    if _TRACKING.search(url.query) or _REDIRECT.search(url.query):
        return "tracks or redirects its reader"
    return ""


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_NUMBERS.fullmatch(host))
    return True


def _mixed(host: str) -> bool:
    scripts = {unicodedata.name(char, "?").split()[0] for char in host if char.isalpha()}
    return len(scripts) > 1


@rule(
    "L18", Weight.BLOCK, "A link or an address leads to a host that is not ours.",
    why="After a breach, look-alike sites appear within hours. People can only trust addresses they know.",
    mend="Use a page or an address on our own domain, or add the host to organisation.domains.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
@each
def strangers(passage: Passage, case: Case) -> Iterable[Hit]:
    """Hosts and mail addresses outside our domains and the authorities. An address may be named as a swindler's, or as
    none of ours; a link is a link whatever is said of it."""
    for link, url in _web(passage):
        host = (url.hostname or "").lower()
        if host and not _trusted(host, case.brief):
            yield Hit(passage, link.line, host)
    for line, address, host in (*_linked_addresses(passage), *_written_addresses(passage)):
        if address not in _official(case) and not _trusted(host, case.brief):
            yield Hit(passage, line, address, f"{address} is no address of ours.")


def _linked_addresses(passage: Passage) -> Iterator[tuple[int, str, str]]:
    for link in passage.links:
        if link.target.lower().startswith("mailto:"):
            for one in unquote(link.target[7:].partition("?")[0]).lower().split(","):
                yield link.line, one.strip(), one.rpartition("@")[2].strip()


def _written_addresses(passage: Passage) -> Iterator[tuple[int, str, str]]:
    for sentence in passage.sentences:
        for found in _ADDRESS.finditer(sentence.text):
            before, after = sentence.text[: found.start()], sentence.text[found.end() :]
            shunned = says(before, "shunned_address", passage.language) or says(after, "not_ours", passage.language)
            if not shunned and not of_swindlers(sentence.text, found, passage.language):
                host = _SPELT_DOT.sub(".", found[2].lower())
                yield sentence.line, f"{found[1]}@{host}".lower(), host


def _official(case: Case) -> set[str]:
    """Addresses of ours elsewhere: the organisation's, and those that the fact sheet has confirmed."""
    org = case.brief.organisation
    facts = [one for one in case.brief.facts.values() if one.kind is FactKind.EMAIL]
    told = [one.value for one in facts if one.state is FactState.CONFIRMED]
    return {str(one).lower() for one in (org.contact_email, org.dpo_email, org.press_email, *told)}


def _trusted(host: str, brief: Brief) -> bool:
    known = (*brief.organisation.domains, *PUBLIC_BODIES)
    return any(host == domain or host.endswith(f".{domain}") for domain in known)


@rule(
    "L19", Weight.BLOCK, "A link says one address and leads to another.",
    why="Careful readers compare the two, and they are right to.",
    mend="Let the words of the link be its address, or words without an address.",
)  # fmt: skip
@each
def false_labels(passage: Passage, _case: Case) -> Iterable[Hit]:
    """The host named in the words of a link is the host it leads to."""
    for link, url in _web(passage):
        target = (url.hostname or "").lower().removeprefix("www.")
        if any(host.removeprefix("www.") != target for host in _named(link.text)):
            yield Hit(passage, link.line, f"{link.text} -> {link.target}")


def _named(label: str) -> Iterator[str]:
    """The hosts in the words of a link, wherever they stand."""
    if whole := _NAMED_HOST.match(label):
        yield whole[1].lower()
    for at in links.find(label):
        if found := _NAMED_HOST.match(label[at.start : at.end]):
            yield found[1].lower()
