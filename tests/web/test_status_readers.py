"""A stranger's program reads our tree as it reads any page of Statuspage: a Prometheus exporter, run as it is meant to.

It is not ours, knows nothing of us, and was written against the pages of Statuspage itself.
"""

import json
import os
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dispatcher.ledger import people
from dispatcher.model.incident import Phase
from dispatcher.model.person import Person, Role
from dispatcher.services import incidents
from dispatcher.services.incidents import Change
from dispatcher.web import status
from tests.services.world import World
from tests.web.test_status import published


@pytest.fixture
def world(tmp_path):
    services = {"status.services": ["online orders", "sign-in"]}
    world = World(tmp_path, port=0, public_url="https://alerts.example.com", **services)
    world.add_account("mail", "email")
    world.audience(3)
    yield world
    world.ctx.ledger.close()


@pytest.fixture
def measured(tmp_path):
    """What the exporter measures of a running site: by metric, the labels and the value of each line."""

    def measure(site):
        folder = tmp_path / "exporter"
        folder.mkdir(exist_ok=True)
        url = f"http://127.0.0.1:{site.port}/status/api/v2/summary.json"
        (folder / "services.json").write_text(json.dumps({"us": {"name": "Us", "url": url, "type": "status_page"}}))
        env = {"PATH": os.environ["PATH"], "RUN_MODE": "once", "METRICS_TEXTFILE_PATH": str(folder / "out.prom")}
        module = "statuspage_prometheus_exporter.status_monitoring"
        done = subprocess.run(
            [sys.executable, "-m", module], cwd=folder, env=env, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr
        found = {}
        for family in text_string_to_metric_families((folder / "out.prom").read_text()):
            found[family.name] = [(sample.labels, sample.value) for sample in family.samples]
        return found

    return measure


def only(found, name):
    [(labels, value)] = found[f"statuspage_{name}"]
    return labels, value


def test_all_is_well_where_nothing_was_published(serve, world, measured):
    found = measured(serve(world.ctx))
    assert only(found, "service_status")[1] == 1
    assert only(found, "probe_check")[1] == 1
    assert going_on(found) == []


def test_an_incident_is_seen_with_its_services_and_is_gone_once_it_is_over(serve, world, measured, monkeypatch):
    monkeypatch.setattr(status, "FRESH_SECONDS", 0.0)
    ref = published(world, words="We look into it.")
    with world.ctx.ledger.write() as tx:
        ana = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), 1)
        told = json.dumps([["services", None, "online orders:down; sign-in:operational"]])
        tx.change("UPDATE broadcast SET facts = :facts", facts=told)
    site = serve(world.ctx)
    found = measured(site)
    assert only(found, "service_status")[1] == 0
    [labels] = going_on(found)
    assert (labels["incident_id"], labels["incident_name"]) == (ref, "Orders stopped")
    assert (labels["impact"], labels["affected_components"]) == ("major", "online orders, sign-in")
    assert labels["shortlink"] == f"https://alerts.example.com/status/incidents/{ref}.html"
    assert components(found) == {"online orders": 0, "sign-in": 1}

    world.clock.pass_by(60)
    incidents.update(world.ctx, ana, ref, Change(phase=Phase.RESOLVED))
    found = measured(site)
    assert only(found, "service_status")[1] == 1
    assert going_on(found) == []
    assert components(found) == {"online orders": 1, "sign-in": 1}


def going_on(found):
    """Incidents; where there is none the exporter tells so with a line of value 0."""
    return [labels for labels, value in found["statuspage_incident_info"] if value]


def components(found):
    return {labels["component_name"]: value for labels, value in found["statuspage_component_status"]}
