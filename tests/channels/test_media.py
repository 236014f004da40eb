"""The media side by side."""

import pytest

from dispatcher.channels import media
from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel


def test_every_channel_says_what_a_template_needs():
    assert set(media.MEDIA) == set(Channel)
    assert all(medium.parts for medium in media.MEDIA.values())


def test_what_is_missing_is_named():
    assert media.missing(Channel.EMAIL, {"email.subject.txt", "sms.txt"}) == ("email.mjml", "email.txt")
    assert media.missing(Channel.SMS, {"sms.txt"}) == ()


def test_addresses_by_channel():
    assert media.canonical(Channel.EMAIL, "Jo@Example.com") == "jo@example.com"
    assert media.canonical(Channel.SMS, "07700 900123", "GB") == "+447700900123"


@pytest.mark.parametrize("channel", [Channel.SOCIAL, Channel.CHAT])
def test_nobody_has_an_address_where_our_accounts_speak(channel):
    with pytest.raises(Refused, match="Nobody has an address"):
        media.canonical(channel, "@jo")
