"""Codes, corrections and waves by the command line."""

import pytest

from dispatcher.ledger import codes
from dispatcher.ledger.engine import Ledger

FACTS = ["--fact", "value=5 pounds off your next shop, whatever you spend",
         "--fact", "how_to_use=Show the code at the till, or type it in when you order online.",
         "--fact", "terms=One code per person. It counts in all our stores. There is no least spend.",
         "--fact", "ends=2026-12-31 23:59 Europe/London"]  # fmt: skip


@pytest.fixture
def pool(drafted, site):
    (site / "codes.csv").write_text("code\n" + "\n".join(f"SECRET-{i}" for i in range(3)))
    return drafted("code", "import", site / "codes.csv", "--pool", "thanks", "--value", "5", "--as", "Ana", "--json")


def thank(run, *more):
    return run("broadcast", "draft", "--template", "goodwill-voucher", "--audience", "customers", "--channel", "email",
               *FACTS, *more, "--as", "Ana")  # fmt: skip


def test_a_pool_is_imported_and_listed_and_no_code_is_ever_printed(drafted, site, pool):
    assert (pool.json["added"], pool.json["stock"], pool.json["value"]) == (3, 3, "5")
    again = drafted("code", "import", site / "codes.csv", "--pool", "thanks", "--as", "Ana")
    assert "0 codes added" in again.out
    listed = drafted("code", "list")
    assert "thanks" in listed.out
    assert "SECRET" not in listed.out + listed.err + again.out + str(pool.json)
    assert drafted("code", "list", "--json").json["pools"][0]["codes"] == 3
    assert drafted("code", "reopen", "thanks", "--reason", "x", "--as", "Olu").code == 4


def test_a_broken_file_is_refused_by_its_lines(drafted, site):
    (site / "bad.csv").write_text("code\nSECRET-1\nSECRET 2\n")
    answer = drafted("code", "import", site / "bad.csv", "--pool", "p", "--as", "Ana", "--json")
    assert answer.code == 4
    assert answer.error["code"] == "E-CODES"
    assert "line 3" in answer.error["why"]
    assert "SECRET" not in answer.err
    assert drafted("code", "import", site / "bad.csv", "--pool", "No Name", "--as", "Ana").code == 2


def test_submit_is_refused_with_the_numbers_while_the_stock_is_short(drafted, site, pool):
    assert thank(drafted, "--codes", "nothing").code == 4
    made = thank(drafted, "--codes", "thanks")
    assert made.code == 0, made.err
    shown = drafted("broadcast", "preview", "B-2", "--json")
    assert "EXAMPLE-" in shown.out
    assert "SECRET" not in shown.out
    assert drafted("broadcast", "submit", "B-2", "--as", "Ana").code == 0
    view = drafted("broadcast", "show", "B-2", "--json").json["codes"]
    assert view == {"pool": "thanks", "bound": 3, "given_back": 0, "issued": 3, "worth": 15.0}
    assert "3 of thanks bound" in drafted("broadcast", "show", "B-2").out
    thank(drafted, "--codes", "thanks")
    refused = drafted("broadcast", "submit", "B-3", "--as", "Ana", "--json")
    assert refused.code == 4
    assert "0 codes left for 3 people" in refused.err
    drafted("broadcast", "report", "B-2", "--into", site / "out")
    assert "3 of thanks issued, worth 15" in (site / "out" / "report-B-2.html").read_text()


def test_the_ledger_check_recounts_codes(drafted, site, pool):
    ledger = Ledger(f"sqlite:///{site / 'work' / 'ledger.db'}")
    with ledger.write() as tx:
        tx.change("UPDATE code_pool SET bound = 2")
        assert codes.wrong_counters(tx)
    ledger.close()
    assert drafted("ledger", "check").code == 1


def test_corrections_and_updates_want_somebody_who_was_told(approved):
    assert approved("broadcast", "correct", "B-1", "--as", "Ana").code == 4
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu")
    refused = approved("broadcast", "update", "B-1", "--as", "Ana")
    assert refused.code in (0, 4)
    report = approved("broadcast", "report", "B-1", "--json").json["reach"]
    assert (report["read"], report["missing"]) == (0, 0)
    assert approved("broadcast", "export", "B-1", "--uncorrected", "--as", "Olu").code == 0
    assert approved("broadcast", "export", "B-1", "--uncorrected", "--unreached", "--as", "Olu").code == 2
    assert approved("broadcast", "export", "B-1", "--uncorrected", "--as", "Ana").code == 5


def test_waves_are_ordered_approved_as_one_and_passed_by_a_person(drafted):
    drafted("broadcast", "draft", "--template", "holding-statement", "--audience", "customers", "--channel", "email",
            "--incident", "INC-1", "--as", "Ana")  # fmt: skip
    order = ("broadcast", "waves", "B-1", "--order", "page,staff=B-1,B-2")
    assert drafted(*order, "--as", "Ana").code == 0
    assert drafted("broadcast", "submit", "B-1", "--as", "Ana").code == 4
    for ref in ("B-2", "B-1"):
        assert drafted("broadcast", "submit", ref, "--as", "Ana").code == 0
    assert drafted("broadcast", "approve", "B-2", "--as", "Ben").code == 4
    assert drafted("broadcast", "approve", "B-1", "--as", "Ben").code == 0
    assert drafted("broadcast", "show", "B-2", "--json").json["state"] == "approved"
    assert drafted("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 6
    size = drafted("broadcast", "show", "B-1", "--json").json["release_size"]
    sent = drafted("broadcast", "send", "B-1", "--confirm-audience", size, "--undo", 0, "--as", "Olu")
    assert sent.code == 0, sent.err
    assert "In waves: page, then staff, then B-2" in sent.err
    done = drafted("broadcast", "waves", "B-1", "--done", "page", "--as", "Olu", "--json").json
    assert [wave["state"] for wave in done["waves"]] == ["out", "open", "waiting"]
    assert drafted("broadcast", "skip", "B-1", "staff", "--as", "Olu").code == 2
    passed = drafted("broadcast", "skip", "B-1", "staff", "--reason", "told by their managers", "--as", "Olu")
    assert "skipped" in passed.out
    assert "told by their managers" in passed.out
    assert drafted("broadcast", "show", "B-2", "--json").json["state"] == "released"
    assert drafted("broadcast", "waves", "B-2", "--json").json["lead"] == "B-1"
    assert drafted("broadcast", "waves", "B-1", "--order", "x", "--done", "y", "--as", "Ana").code == 2
    assert drafted("broadcast", "waves", "B-1", "--order", "x=y", "--as", "Ana").code == 2
