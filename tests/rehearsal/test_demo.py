"""The demo in this process, over real processes: what it tells, in which order, and what it says when it cannot."""

import fcntl

import pytest

from dispatcher.rehearsal import demo
from dispatcher.reporting.story import Proof
from tests.cli.calls import call

pytestmark = pytest.mark.e2e


def test_every_act_is_told_in_its_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    answer = call(capsys, "demo", "--recipients", 80, "--plain")
    assert answer.code == 0, answer.err
    acts = [
        "Start",
        "Import",
        "Incident",
        "Draft",
        "Check",
        "Preview",
        "Approve",
        "Send",
        "Trouble",
        "Sums",
        "Proof",
        "Report",
    ]
    places = [answer.out.index(f"  {act} ") for act in acts]
    assert places == sorted(places)
    assert answer.out.startswith(" DRILL ")
    assert "12 of 12 claims agree" in answer.out
    assert "\x1b" not in answer.out
    assert (tmp_path / "dispatcher-demo" / "report-B-1.html").exists()
    assert (tmp_path / "dispatcher-demo" / "run").stat().st_mode & 0o077 == 0


def test_two_demos_do_not_share_a_folder(tmp_path, capsys):
    with (tmp_path / demo._MARK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = call(capsys, "demo", "--work-dir", tmp_path)
    assert answer.code == 2
    assert "Another demo is running" in answer.err


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").touch()
    answer = call(capsys, "demo", "--work-dir", tmp_path / "file" / "below")
    assert answer.code == 3
    assert "cannot be written to" in answer.err


@pytest.mark.parametrize(
    ("reconciles", "wrong", "proofs", "verdict"),
    [
        (True, 0, [Proof("told twice", 0, 0)], True),
        (False, 0, [Proof("told twice", 0, 0)], False),
        (True, 1, [Proof("told twice", 0, 0)], False),
        (True, 0, [Proof("told twice", 0, 1)], False),
    ],
)
def test_it_succeeds_only_if_every_sum_and_every_claim_holds(tmp_path, reconciles, wrong, proofs, verdict):
    played = demo.Played({"reconciles": reconciles}, tuple(proofs), wrong, tmp_path, 1.0)
    assert played.reconciles is verdict
    assert played.as_dict()["reconciles"] is verdict
