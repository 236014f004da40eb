"""Chat: lengths, and words that wake everybody."""

from dispatcher.channels.chat import measure


def test_mentions_that_wake_everybody_are_named_once():
    found = measure("Hello @channel and <!here>, <!here> again, @Everyone; mail all@example.com")
    assert found.mentions == ("@channel", "<!here>", "@Everyone")


def test_length_counts_characters_and_octets():
    size = measure("日" * 10_000)
    assert (size.characters, size.octets) == (10_000, 30_000)
    assert not size.fits
    assert measure("a" * 4_000).fits
    assert not measure("").fits
