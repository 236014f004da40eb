import pytest

from dispatcher.doorbell import QUEUES
from dispatcher.model.kinds import Channel
from tests.workers.conftest import ROOT
from workers.queues import declared, listened_to


def test_every_channel_has_a_queue():
    assert [queue.name for queue in declared()] == [*(str(channel) for channel in Channel), "events", "outward", "tick"]


def test_the_procfile_listens_to_every_queue_and_no_other():
    assert listened_to(ROOT / "Procfile") == set(QUEUES)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("worker: celery -A workers.app worker -Q email,sms", {"email", "sms"}),
        (
            "a: celery -A workers.app worker --queues=email\nb: celery -A workers.app worker --queues tick",
            {"email", "tick"},
        ),
        ("worker: celery -A workers.app worker", set(QUEUES)),
        ("beat: celery -A workers.app beat\n# worker: celery worker -Q email", set()),
    ],
)
def test_what_a_procfile_listens_to(tmp_path, text, names):
    (tmp_path / "Procfile").write_text(text)
    assert listened_to(tmp_path / "Procfile") == names
