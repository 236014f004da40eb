"""The messages that the pretend Twilio remembers, and how it lists them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dispatcher.sandbox.message import Text
from dispatcher.sandbox.twilio_rules import whole


class Texts:
    """The last `limit` messages, found by id or by number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_id: dict[str, Text] = {}
        self._by_number: defaultdict[str, list[Text]] = defaultdict(list)

    def add(self, text: Text) -> None:
        """Remember one; the oldest goes."""
        self._by_id[text.id] = text
        self._by_number[text.address].append(text)
        if len(self._by_id) > self._limit:
            oldest = self._by_id.pop(next(iter(self._by_id)))
            self._by_number[oldest.address].remove(oldest)

    def get(self, sid: str) -> Text | None:
        """One by its id."""
        return self._by_id.get(sid)

    def clear(self) -> None:
        """Forget all."""
        self._by_id.clear()
        self._by_number.clear()

    def find(self, account: str, query: Mapping[str, str], visible: float) -> list[Text]:
        """One account's, newest first, by `To` and `From`; accepted (monotonic) not after `visible`."""
        pool: Iterable[Text] = self._by_id.values()
        if "To" in query:
            pool = self._by_number.get(query["To"], [])
        sender = query.get("From")
        found = [text for text in pool
                 if text.account == account and text.accepted <= visible and sender in (None, text.sender)]  # fmt: skip
        return found[::-1]


def _in_days(sent: str | None, query: Mapping[str, str]) -> bool:
    """Filter by the day of sending; what is not sent yet has no day and drops out."""
    asked = {name: query[name][:10] for name in ("DateSent", "DateSent<", "DateSent>") if name in query}
    if not asked:
        return True
    if sent is None:
        return False
    day = datetime.strptime(sent, "%a, %d %b %Y %H:%M:%S %z").date().isoformat()
    return (
        asked.get("DateSent", day) == day and day <= asked.get("DateSent<", day) and day >= asked.get("DateSent>", day)
    )


def page(views: list[dict[str, Any]], query: Mapping[str, str], uri: str) -> dict[str, Any] | None:
    """The page that `query` asks for, with the links of the vendor's form; None if it asks for nonsense."""
    size, number = whole(query.get("PageSize", "50"), 1, 1000), whole(query.get("Page", "0"), 0, 10**9)
    if size is None or number is None:
        return None
    views = [view for view in views if _in_days(view["date_sent"], query)]
    kept = {name: value for name, value in query.items() if name not in ("Page", "PageSize", "PageToken")}

    def link(to: int) -> str:
        return f"{uri}?{urlencode({**kept, 'PageSize': size, 'Page': to})}"

    start = number * size
    shown = views[start : start + size]
    return {
        "messages": shown, "page": number, "page_size": size, "start": start, "end": start + max(len(shown) - 1, 0),
        "uri": link(number), "first_page_uri": link(0), "previous_page_uri": link(number - 1) if number else None,
        "next_page_uri": link(number + 1) if start + size < len(views) else None,
    }  # fmt: skip
