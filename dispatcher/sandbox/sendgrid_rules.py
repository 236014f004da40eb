"""What SendGrid's reference asks of a body for v3/mail/send, as one list of problems; empty means valid.

Read: the vendor's OpenAPI description (January 2026) and its page of mail-send errors (November 2026). Where the two
differ the stricter one is taken: 10,000 bytes of substitutions and of custom arguments per personalization, although
the page now speaks of 50,000. The names of fields in the answers are the vendor's, the sentences are ours.
"""

import re
from collections.abc import Mapping
from typing import Any

MAX_PERSONALIZATIONS = MAX_RECIPIENTS = 1_000
MAX_BYTES = 10_000
MAX_SUBSTITUTIONS = 150
MAX_AHEAD = 72 * 3600
RESERVED_HEADERS = frozenset(
    ("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
     "to", "from", "subject", "reply-to", "cc", "bcc")
)  # fmt: skip

_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,190}\.[^\s@<>()\[\]\\,;:\".]{2,63}")
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_BREAKS = re.compile(r"[\r\n]")
_MESSAGE_FIELDS = frozenset(
    ("personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id",
     "headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name", "mail_settings",
     "tracking_settings", "sections")
)  # fmt: skip
_PERSON_FIELDS = frozenset(
    ("from", "to", "cc", "bcc", "subject", "headers", "substitutions", "dynamic_template_data", "custom_args",
     "send_at")
)  # fmt: skip


class Problems(list[dict[str, Any]]):
    """Collected in the vendor's form."""

    def say(self, field: str | None, message: str) -> None:
        """One more."""
        self.append({"message": message, "field": field, "help": None})


def check(mail: Any, now: float) -> Problems:
    """Every problem of a parsed body; `now` in seconds since 1970."""
    found = Problems()
    if not isinstance(mail, dict):
        found.say(None, "Bad Request")
        return found
    for name in mail.keys() - _MESSAGE_FIELDS:
        found.say(name, f"Additional property {name} is not allowed")
    _from(found, "from", mail.get("from"))
    _reply_to(found, mail)
    _content(found, mail)
    _common(found, "", mail, now)
    _persons(found, mail, now)
    for rule in (_categories, _attachments, _asm, _settings, _strings):
        rule(found, mail)
    return found


def _persons(found: Problems, mail: Mapping[str, Any], now: float) -> None:
    persons = mail.get("personalizations")
    if not isinstance(persons, list) or not persons:
        found.say("personalizations", "At least one personalization is required.")
        return
    if len(persons) > MAX_PERSONALIZATIONS:
        found.say("personalizations", f"At most 1000 personalizations are allowed; there are {len(persons)}.")
        return
    shared = mail.get("custom_args")
    shared = shared if isinstance(shared, dict) else {}
    template = isinstance(mail.get("template_id"), str)
    bare = not template and "subject" not in mail
    total = sum([_person(found, f"personalizations.{at}", person, shared, bare, now)
                 for at, person in enumerate(persons)])  # fmt: skip
    if total > MAX_RECIPIENTS:
        found.say("personalizations", "At most 1000 recipients (to, cc and bcc together) are allowed.")


def _person(found: Problems, field: str, person: Any, shared: Mapping[str, Any], bare: bool, now: float) -> int:
    if not isinstance(person, dict):
        found.say(field, "Each personalization must be an object.")
        return 0
    for name in person.keys() - _PERSON_FIELDS:
        found.say(f"{field}.{name}", f"Additional property {name} is not allowed")
    if "from" in person:
        _from(found, f"{field}.from", person["from"])
    if bare and "subject" not in person:
        found.say("subject", "A subject is required, for the message or for every personalization.")
    _common(found, f"{field}.", person, now, shared)
    if "substitutions" in person:
        _substitutions(found, f"{field}.substitutions", person["substitutions"])
    return _recipients(found, field, person)


def _recipients(found: Problems, field: str, person: Mapping[str, Any]) -> int:
    if not person.get("to"):
        found.say(f"{field}.to", "The to array is required and needs at least one address.")
    seen: set[str] = set()
    count = 0
    for kind in ("to", "cc", "bcc"):
        entries = person.get(kind, [])
        if not isinstance(entries, list):
            found.say(f"{field}.{kind}", "Must be an array of objects with an email.")
            continue
        count += len(entries)
        for at, entry in enumerate(entries):
            if not _party(found, f"{field}.{kind}.{at}", entry):
                continue
            address = entry["email"].lower()
            if address in seen:
                found.say(field, "Each address may stand only once in a personalization.")
            seen.add(address)
    return count


def _party(found: Problems, field: str, entry: Any) -> bool:
    if not isinstance(entry, dict):
        found.say(field, "Must be an object with an email and perhaps a name.")
        return False
    if len(entry) > 1:
        for name in entry.keys() - {"email", "name"}:
            found.say(f"{field}.{name}", f"Additional property {name} is not allowed")
        name = entry.get("name", "")
        if not isinstance(name, str) or ";" in name or "," in name or _BREAKS.search(name):
            found.say(f"{field}.name", "A name is a string without semicolons, commas and line breaks.")
    address = entry.get("email")
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        found.say(f"{field}.email", "Does not contain a valid address.")
        return False
    return True


def _from(found: Problems, field: str, entry: Any) -> None:
    if entry is None:
        found.say(field, "The from object is required and needs an email.")
    elif _party(found, field, entry) and not entry["email"].isascii():
        found.say(f"{field}.email", "The from address must be ASCII.")


def _reply_to(found: Problems, mail: Mapping[str, Any]) -> None:
    if "reply_to" in mail and "reply_to_list" in mail:
        found.say("reply_to", "Use reply_to or reply_to_list, not both.")
    if "reply_to" in mail:
        _party(found, "reply_to", mail["reply_to"])
    entries = mail.get("reply_to_list", [])
    if not isinstance(entries, list) or len(entries) > MAX_RECIPIENTS:
        found.say("reply_to_list", "Must be an array of at most 1000 objects with an email.")
        return
    for at, entry in enumerate(entries):
        _party(found, f"reply_to_list.{at}", entry)


def _content(found: Problems, mail: Mapping[str, Any]) -> None:
    parts = mail.get("content")
    if parts is None and isinstance(mail.get("template_id"), str):
        return
    if not isinstance(parts, list) or not parts:
        found.say("content", "At least one content block is required.")
        return
    kinds = [_part(found, f"content.{at}", part) for at, part in enumerate(parts)]
    rank = {"text/plain": 0, "text/html": 1}
    order = [rank.get(kind, 2) for kind in kinds if kind]
    if order != sorted(order):
        found.say("content", "text/plain comes first, then text/html, then anything else.")


def _part(found: Problems, field: str, part: Any) -> str:
    if not isinstance(part, dict):
        found.say(field, "Must be an object with a type and a value.")
        return ""
    kind, value = part.get("type"), part.get("value")
    if not isinstance(kind, str) or not kind or ";" in kind or _BREAKS.search(kind):
        found.say(f"{field}.type", "The content type must be a non-empty string without semicolons and line breaks.")
        kind = ""
    if not isinstance(value, str) or not value:
        found.say(f"{field}.value", "The content value must be a string of at least one character.")
    return kind


def _common(
    found: Problems, prefix: str, level: Mapping[str, Any], now: float, shared: Mapping[str, Any] | None = None
) -> None:
    """What the message and each personalization have in common."""
    if "subject" in level:
        subject = level["subject"]
        if not isinstance(subject, str) or not subject or _BREAKS.search(subject):
            found.say(f"{prefix}subject", "The subject must be one line of at least one character.")
    if "headers" in level:
        _headers(found, f"{prefix}headers", level["headers"])
    if "custom_args" in level or shared:
        _custom_args(found, f"{prefix}custom_args", level.get("custom_args", {}), shared or {})
    if "send_at" in level:
        at = level["send_at"]
        if not isinstance(at, int) or isinstance(at, bool):
            found.say(f"{prefix}send_at", "Must be a UNIX timestamp as an integer.")
        elif at > now + MAX_AHEAD:
            found.say(f"{prefix}send_at", "Scheduling more than 72 hours ahead is forbidden.")


def _headers(found: Problems, field: str, headers: Any) -> None:
    if not _strings_only(headers):
        found.say(field, "Headers must be an object whose values are strings.")
        return
    if len({name.lower() for name in headers}) < len(headers):
        found.say(field, "Header names may not repeat.")
    for name, value in headers.items():
        if name.lower() in RESERVED_HEADERS:
            found.say(f"{field}.{name}", "This header is reserved.")
        if not _HEADER_NAME.fullmatch(name):
            found.say(field, "Header names are ASCII without blanks.")
        if _BREAKS.search(value):
            found.say(f"{field}.{name}", "A header value may not hold line breaks.")


def _custom_args(found: Problems, field: str, args: Any, shared: Mapping[str, Any]) -> None:
    if not _strings_only(args):
        found.say(field, "Custom arguments must be an object whose values are strings.")
        return
    if _bytes_of({**shared, **args} if shared else args) > MAX_BYTES:
        found.say(field, "Custom arguments may not exceed 10000 bytes.")


def _substitutions(found: Problems, field: str, values: Any) -> None:
    if not _strings_only(values):
        found.say(field, "Substitutions must be an object whose values are strings.")
        return
    if len(values) > MAX_SUBSTITUTIONS:
        found.say(field, "At most 150 substitutions are allowed in a personalization.")
    if _bytes_of(values) > MAX_BYTES:
        found.say(field, "Substitutions are limited to 10000 bytes per personalization.")


def _strings_only(values: Any) -> bool:
    return isinstance(values, dict) and all([isinstance(value, str) for value in values.values()])


def _bytes_of(values: Mapping[str, Any]) -> int:
    whole = "".join([*values.keys(), *map(str, values.values())])
    return len(whole) if whole.isascii() else len(whole.encode("utf-8", "surrogatepass"))


def _categories(found: Problems, mail: Mapping[str, Any]) -> None:
    names = mail.get("categories", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isascii() for name in names):
        found.say("categories", "Categories must be an array of ASCII strings.")
    elif len(names) > 10 or len(set(names)) < len(names) or any(len(name) > 255 for name in names):
        found.say("categories", "At most 10 different categories of at most 255 characters are allowed.")


def _attachments(found: Problems, mail: Mapping[str, Any]) -> None:
    entries = mail.get("attachments", [])
    if not isinstance(entries, list):
        found.say("attachments", "Must be an array.")
        return
    for at, entry in enumerate(entries):
        entry = entry if isinstance(entry, dict) else {}
        for name in ("content", "filename"):
            if not isinstance(entry.get(name), str) or not entry[name]:
                found.say(f"attachments.{at}.{name}", f"The {name} must be a string of at least one character.")
        if entry.get("disposition", "attachment") not in ("attachment", "inline"):
            found.say(f"attachments.{at}.disposition", "Must be inline or attachment.")


def _asm(found: Problems, mail: Mapping[str, Any]) -> None:
    asm = mail.get("asm")
    if asm is None:
        return
    if not isinstance(asm, dict) or not _is_int(asm.get("group_id")):
        found.say("asm.group_id", "The group id must be an integer.")
        return
    shown = asm.get("groups_to_display", [])
    if not isinstance(shown, list) or len(shown) > 25 or not all(map(_is_int, shown)):
        found.say("asm.groups_to_display", "Must be an array of at most 25 integers.")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _settings(found: Problems, mail: Mapping[str, Any]) -> None:
    for block in ("mail_settings", "tracking_settings"):
        settings = mail.get(block, {})
        if not isinstance(settings, dict):
            found.say(block, "Must be an object.")
            continue
        for name, setting in settings.items():
            if not isinstance(setting, dict) or not isinstance(setting.get("enable", False), bool):
                found.say(f"{block}.{name}.enable", "Must be a boolean.")
    bypasses = [n for n in _enabled(mail.get("mail_settings")) if n.startswith("bypass_")]
    if "bypass_list_management" in bypasses and len(bypasses) > 1:
        found.say("mail_settings", "bypass_list_management excludes every other bypass.")


def _enabled(settings: Any) -> list[str]:
    if not isinstance(settings, dict):
        return []
    return [name for name, setting in settings.items() if isinstance(setting, dict) and setting.get("enable") is True]


def _strings(found: Problems, mail: Mapping[str, Any]) -> None:
    for name in ("template_id", "batch_id", "ip_pool_name"):
        if name in mail and not isinstance(mail[name], str):
            found.say(name, "Must be a string.")
    if isinstance(mail.get("ip_pool_name"), str) and not 2 <= len(mail["ip_pool_name"]) <= 64:
        found.say("ip_pool_name", "Must have 2 to 64 characters.")


def enabled(mail: Mapping[str, Any], name: str) -> bool:
    """Whether one of the mail settings is switched on."""
    return name in _enabled(mail.get("mail_settings"))
