"""`--fallback sms=email:15` and what it refuses."""

import pytest

from dispatcher.cli.broadcast_compose import fallback_of
from dispatcher.errors import UsageError
from dispatcher.model.broadcast import Fallback
from dispatcher.model.kinds import Channel


def test_a_fallback_names_both_channels_and_minutes():
    assert fallback_of("sms=email:15") == Fallback(Channel.SMS, Channel.EMAIL, 900)


@pytest.mark.parametrize("word", ["", "sms", "sms=email", "sms=email:x", "sms:15=email", "fax=email:5"])
def test_anything_else_is_refused(word):
    with pytest.raises(UsageError):
        fallback_of(word)
