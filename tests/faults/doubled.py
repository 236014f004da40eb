"""Everything twice at once: drafts, submissions, approvals and sends of the same broadcast from many terminals."""

import tempfile
import time
from pathlib import Path

from dispatcher.sandbox.record import judge
from tests.faults import terminal
from tests.faults.arena import Arena, settled
from tests.faults.scenarios import CALM
from tests.faults.verdicts import verdict_of

HANDS = 4
"""Terminals at once."""
NEWS = ("Orders cannot be placed.", "Orders can be placed in two of three shops again.")
"""Words that were said already would be refused."""
FLOW = (
    ("submit", "Ana", ()),
    ("approve", "Ben", ()),
    ("send", "Olu", ("--undo", "0", "--confirm-audience")),
)


def many_hands(seed, url, *, times):
    """Whether `times` broadcasts were each made once, sent once and told once; what was seen."""
    began, wrong, told = time.monotonic(), [], 0
    with (
        tempfile.TemporaryDirectory(prefix="hands-") as folder,
        Arena(Path(folder), seed, database_url=url, faults=CALM) as arena,
    ):
        arena.await_web()
        terminal.staff(arena)
        terminal.customers(arena)
        for number in range(times):
            found, people = _one(arena, f"key-{seed}-{number}", NEWS[number % len(NEWS)])
            wrong += found
            told += people
    words = f"{times} broadcasts by {HANDS} terminals each, {told} told, wrong {len(wrong)} {wrong[:2] or ''}"
    return not wrong, words, time.monotonic() - began


def _one(arena, key, news):
    ref, wrong = _draft(arena, key, news)
    size = terminal.run(arena, "broadcast", "check", ref, "--json").json["audience_size"]
    for verb, who, more in FLOW:
        words = ("broadcast", verb, ref, *more, *((size,) if more else ()), "--as", who)
        wrong += _once(verb, terminal.at_once(arena, HANDS, *words))
    made = int(ref.partition("-")[2])
    if not settled(arena, made, 120):
        wrong.append(f"{ref} did not end")
    found = verdict_of(arena, made)
    wrong += [f"{ref}: {found.line()}"] if not found.good else []
    again = terminal.end(terminal.begin(arena, "broadcast", "send", ref, "--confirm-audience", size, "--as", "Olu"))
    before = judge(arena.vendors.record).messages
    time.sleep(1.5)
    if again.code == 0 or judge(arena.vendors.record).messages != before:
        wrong.append(f"{ref} was sent again: {again.code}")
    return wrong, found.planned


def _draft(arena, key, news):
    """The same key from many terminals gives one broadcast; the same key for other words gives a refusal."""
    words = (
        "broadcast", "draft", "--template", "holding-statement", "--audience", "customers", "--channel", "email,sms",
        "--incident", terminal.INCIDENT, "--mode", "drill", "--as", "Ana", "--key", key,
        "--fact", f"problem={news}",
    )  # fmt: skip
    said = terminal.at_once(arena, HANDS, *words)
    refs = {one.out.strip() for one in said if one.code == 0}
    wrong = [f"draft: {one.err[-200:]}" for one in said if one.code]
    if len(refs) != 1:
        wrong.append(f"one key made {sorted(refs)}")
    other = terminal.end(terminal.begin(arena, *words, "--fact", "doing=Another"))
    if other.code != 4 or "E-KEY" not in other.err:
        wrong.append(f"a used key for other words: {other.code} {other.err[-200:]}")
    return sorted(refs)[0], wrong


def _once(verb, said):
    """One did it; the others were told in words that it is done."""
    done = sum(one.code == 0 for one in said)
    wrong = [f"{verb}: {one.err[-200:]}" for one in said if one.crashed]
    return [*wrong, f"{verb} was done {done} times"] if (done != 1 and verb != "submit") or done == 0 else wrong
