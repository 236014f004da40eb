"""Speed: where the cage is not the matter, the workshop works in this process (test_cage proves that they agree)."""

import json

import pytest

from dispatcher.compose import cage, workshop


@pytest.fixture
def uncaged(monkeypatch):
    """Renders without a child process, with the same plain JSON in and out."""
    monkeypatch.setattr(cage, "run", lambda job: json.loads(json.dumps(workshop.make(json.loads(json.dumps(job))))))
