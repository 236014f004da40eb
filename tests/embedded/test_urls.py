import pytest

from dispatcher.embedded.urls import for_celery, for_redis


@pytest.mark.parametrize(
    "url",
    ["unix:///tmp/x/redis.sock", "unix:///tmp/x/redis.sock?db=0", "redis+socket:///tmp/x/redis.sock?virtual_host=0"],
)
def test_a_socket_is_spelled_for_either_library(url):
    assert for_redis(url) == "unix:///tmp/x/redis.sock?db=0"
    assert for_celery(url) == "redis+socket:///tmp/x/redis.sock?virtual_host=0"


def test_database_password_and_options_survive():
    url = "unix://:secret@/run/redis.sock?db=3&client_name=dispatcher"
    assert for_celery(url) == "redis+socket://:secret@/run/redis.sock?virtual_host=3&client_name=dispatcher"
    assert for_redis(for_celery(url)) == "unix://:secret@/run/redis.sock?db=3&client_name=dispatcher"


@pytest.mark.parametrize(
    "url", ["redis://example.com:6379/0", "rediss://example.com/1", "sentinel://example.org:26379"]
)
def test_other_urls_are_left_alone(url):
    assert for_redis(url) == for_celery(url) == url
