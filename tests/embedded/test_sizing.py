import pytest

from dispatcher.embedded import sizing


def test_cores_are_what_this_process_may_use():
    assert 1 <= sizing.cores() <= 4096


@pytest.mark.parametrize(
    ("text", "whole"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", None)]
)
def test_a_containers_quota_counts(tmp_path, text, whole):
    (tmp_path / "cpu.max").write_text(text)
    assert sizing._quota(tmp_path / "cpu.max") == whole


def test_no_container_no_quota(tmp_path):
    assert sizing._quota(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("configured", "cores", "processes"), [(0, 1, 2), (0, 2, 2), (0, 8, 8), (1, 8, 1), (12, 2, 12)]
)
def test_worker_processes(configured, cores, processes):
    assert sizing.worker_processes(configured, cores_=cores) == processes
