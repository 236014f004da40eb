"""The invented people."""

import csv
from collections import Counter

import pytest

from dispatcher.rehearsal.population import COLUMNS, HOSTILE, people, write_list, write_opt_outs
from dispatcher.sandbox.fate import mail_fate


@pytest.mark.parametrize("seed", [0, 1, 7, 42])
def test_the_same_seed_gives_the_same_people_and_no_address_twice(seed):
    crowd = list(people(5000, seed))
    assert crowd[:500] == list(people(500, seed))
    for addresses in ([p.email for p in crowd if p.email], [p.phone for p in crowd if p.phone]):
        assert max(Counter(addresses).values()) == 1


def test_nobody_real_can_be_among_them():
    for one in people(8000, 3):
        assert one.email == "" or one.email.rpartition("@")[2] in ("example.com", "example.org", "example.net")
        assert one.phone == "" or one.phone.startswith("+447700900") or one.phone[-7:-2] == "55501"
        assert one.email or one.phone


def test_numbers_end_where_fiction_ends():
    crowd = list(people(20_000, 1))
    british = [p.phone for p in crowd if p.phone.startswith("+44")]
    assert len(british) == 1000
    assert sum(not p.phone for p in crowd) > 15_000


def test_every_kind_of_trouble_is_among_two_thousand():
    crowd = list(people(2000, 7))
    assert len({p.locale for p in crowd}) >= 8
    assert {p.name for p in crowd} >= set(HOSTILE)
    assert {"email", "sms"} <= {channel for p in crowd for channel in p.opted_out}
    fates = Counter(mail_fate(p.email) for p in crowd if p.email)
    assert fates[None] > 1800
    assert len(fates) >= 7
    assert {p.phone[-3:] for p in crowd} >= {str(n) for n in range(192, 200)}


def test_the_files_hold_what_was_invented(tmp_path):
    write_list(tmp_path / "people.csv", 300, 7)
    written = write_opt_outs(tmp_path / "out.csv", 300, 7)
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row[0] for row in rows[1:]] == [p.name for p in people(300, 7)]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        addresses = [cell for row in list(csv.reader(file))[1:] for cell in row if cell]
    assert len(addresses) == written > 0
