"""The demo, as a stranger would run it: it ends by itself, adds up, stays on this machine and leaves nothing behind."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.model.states import TERMS
from tests.e2e.processes import DISPATCHER, end, environment, family, left_of, start

pytestmark = pytest.mark.e2e
DEMO = [*DISPATCHER, "demo", "--recipients", "300", "--json"]
OPEN = (
    "socket(AF_INET", "connect(", "sendto(", "sendmsg(",
)  # fmt: skip


def may_unshare():
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """One demo in a network without a way out; where that is not allowed, every connect of its processes is traced."""
    folder = tmp_path_factory.mktemp("demo")
    if may_unshare():
        inside = [sys.executable, str(Path(__file__).with_name("inside.py")), str(folder / "told.json"), *DEMO]
        subprocess.run(["unshare", "-rn", *inside], cwd=folder, env=environment(folder), check=True, timeout=170)
        return folder, json.loads((folder / "told.json").read_text())
    if not shutil.which("strace"):
        pytest.skip("neither unshare nor strace may be used here")
    traced = ["strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(folder / "calls"), *DEMO]
    done = subprocess.run(traced, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=170)
    calls = (folder / "calls").read_text(errors="replace").splitlines()
    left = [
        c for c in calls if "sin" in c and not any(word in c for word in ('"127.', '"::1"', "AF_UNIX", "AF_UNSPEC"))
    ]
    return folder, {"code": done.returncode, "out": done.stdout, "err": done.stderr, "left": len(left)}


@pytest.fixture(scope="module")
def told(played):
    _, done = played
    assert done["code"] == 0, done["err"]
    return json.loads(done["out"])


def test_nothing_tried_to_leave_this_machine(played, told):
    assert played[1]["left"] == 0


def test_every_sum_adds_up(told):
    assert told["reconciles"] is True
    assert (told["mode"], told["state"], told["approved_by"]) == ("drill", "done", ["Ben"])
    for terms in (told["total"], *told["channels"].values()):
        assert terms["planned"] == sum(terms[term] for term in TERMS)
    assert set(told["channels"]) == {"email", "sms", "social"}
    assert told["total"]["delivered"] > 300
    assert told["total"]["suppressed"] > 0
    assert told["total"]["failed"] > 0
    assert not any(told["total"][term] for term in ("held", "pending", "sending", "unknown"))


def test_the_vendors_own_record_agrees_in_every_claim(told):
    assert len(told["proofs"]) == 12
    assert all(proof["holds"] for proof in told["proofs"])


def test_the_report_lies_where_it_says(played, told):
    html = (played[0] / told["report"]).read_text()
    assert "DRILL" in html
    assert "The sums reconcile." in html
    assert len(html.encode()) < 60_000


def test_words_and_data_do_not_mix(played):
    assert played[1]["err"] == ""


def test_the_run_can_be_looked_at_afterwards(played, told):
    folder, _ = played
    look = [
        *DISPATCHER,
        "broadcast",
        "show",
        "--json",
        told["ref"],
        "--work-dir",
        str(folder / "dispatcher-demo" / "run"),
    ]
    shown = subprocess.run(look, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["total"] == told["total"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_however_it_ends_no_process_stays_behind(tmp_path, number):
    demo = start([*DISPATCHER, "demo", "--recipients", "300", "--plain"], cwd=tmp_path, env=environment(tmp_path))
    try:
        said = [line for line in iter_until(demo.stdout, "  Send ")]
        assert any("Approve" in line for line in said)
        relatives = family(demo.pid)
        assert len(relatives) >= 6
        demo.send_signal(number)
        code = demo.wait(60)
        assert left_of(relatives) == []
        assert code == (130 if number is not signal.SIGKILL else -signal.SIGKILL)
    finally:
        end(demo)


def iter_until(stream, word):
    for line in stream:
        yield line
        if word in line:
            return
