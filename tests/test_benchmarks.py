"""The benchmarks run, count everybody and write what they measured. Speed itself is never asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import table

ROOT = Path(__file__).parent.parent


@pytest.mark.e2e
def test_a_small_run_measures_the_real_path_and_writes_json(tmp_path):
    told = {
        "BENCH_RECIPIENTS": "2000", "BENCH_ROUNDS": "1", "BENCH_LEDGERS": "sqlite", "BENCH_ONLY": "mail,text,events",
        "BENCH_JSON": str(tmp_path / "found.json"), "BENCH_PLOTS": str(tmp_path), "TMPDIR": str(tmp_path),
    }  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")} | told
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    names = {row["name"] for row in found["measured"]}
    assert {"mail, 200 a request", "mail, 1,000 a request: of raw", "text: of raw", "events: of raw"} <= names
    assert all(row["median"] >= 0 for row in found["measured"])
    assert found["conditions"]["recipients"] == 2000
    assert "mail, 200 a request" in done.stdout


def test_ratios_pair_measurements_of_the_same_round():
    book = table.Book({})
    for ours, raw in ((10, 20), (30, 40), (5, 50)):
        book.note("sqlite", "ours", ours)
        book.note("sqlite", "raw", raw)
    book.ratio("sqlite", "ours", "raw", "of raw")
    assert book.found[("sqlite", "of raw")] == [0.5, 0.75, 0.1]
    assert book.median("sqlite", "of raw") == 0.5


def test_the_picture_of_cost_says_its_numbers_in_words():
    svg = table.cost("Cost by size", [(1000, 0.1), (10_000, 1.0)])
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "1,000 in 0.10 s; 10,000 in 1.00 s" in svg
    assert svg.count("<circle") == 2
