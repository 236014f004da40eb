"""How a mail relay is reached: encryption, logins, addresses."""

import asyncio

import pytest

from dispatcher.model.outcome import Accepted, Misconfigured, NotSent
from dispatcher.providers import smtp
from dispatcher.wire import Wire
from tests.contract.certificate import self_signed, server_side
from tests.contract.material import SOON, email_rendition, mail_envelopes
from tests.contract.smtp_vendor import SmtpVendor
from tests.providers import test_smtp

SAFE_TLS = {"EHLO": "250-relay.example.com\r\n250 STARTTLS"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def over_tls(certificate, **more):
    vendor = SmtpVendor(SAFE_TLS, tls=server_side(certificate))
    contract = test_smtp.TestContract()
    return contract.sending(vendor, username="", password=None, **more), vendor


def test_starttls_is_used_where_it_is_required(certificate):
    outcomes, vendor = over_tls(certificate, starttls="required", ca_file=str(certificate))
    assert [type(o) for o in outcomes] == [Accepted]
    assert vendor.commands.index("STARTTLS") < vendor.commands.index("MAIL")


def test_a_certificate_that_nobody_vouches_for_ends_it_before_a_word_is_said(certificate):
    outcomes, vendor = over_tls(certificate, starttls="required")
    assert [type(o) for o in outcomes] == [NotSent]
    assert "MAIL" not in vendor.commands


def test_a_relay_without_starttls_is_a_fault_of_the_settings():
    outcomes = test_smtp.TestContract().sending(SmtpVendor(), username="", password=None, starttls="required")
    assert [type(o) for o in outcomes] == [Misconfigured]


def test_a_relay_without_a_login_is_a_fault_of_the_settings():
    assert [type(o) for o in test_smtp.TestContract().sending(SmtpVendor())] == [Misconfigured]


def test_tls_from_the_first_byte(certificate):
    async def run():
        vendor, sessions = SmtpVendor(), []
        serve = vendor._serve

        async def spy(reader, writer):
            sessions.append(writer.get_extra_info("cipher"))
            await serve(reader, writer)

        server = await asyncio.start_server(spy, "127.0.0.1", 0, ssl=server_side(certificate))
        port = server.sockets[0].getsockname()[1]
        async with Wire() as wire:
            made = test_smtp.TestContract().make(
                f"smtps://127.0.0.1:{port}", wire, username="", password=None, ca_file=str(certificate)
            )
            outcomes = await made.send(email_rendition(), mail_envelopes(1), expires_at=SOON)
        server.close()
        return outcomes, sessions

    outcomes, sessions = asyncio.run(run())
    assert [type(o) for o in outcomes] == [Accepted]
    assert sessions[0]


@pytest.mark.parametrize(
    ("url", "starttls", "place", "upgrades"),
    [("smtp://mail.example.com", "auto", ("mail.example.com", 587), True),
     ("smtp://mail.example.com:25", "off", ("mail.example.com", 25), False),
     ("smtps://mail.example.com", "auto", ("mail.example.com", 465), False),
     ("smtp://127.0.0.1:2525", "auto", ("127.0.0.1", 2525), False),
     ("smtp://localhost", "required", ("localhost", 587), True)]
)  # fmt: skip
def test_where_and_how_the_relay_is_reached(url, starttls, place, upgrades):
    made = smtp.SmtpSettings(base_url=url, sender="care@example.com", starttls=starttls)
    assert (made.place, made.upgrades) == (place, upgrades)


def test_a_password_never_travels_in_the_clear():
    given = {"base_url": "smtp://mail.example.com", "sender": "care@example.com", "username": "u", "password": "p"}
    with pytest.raises(ValueError, match="under TLS"):
        smtp.SmtpSettings(**given, starttls="off")
    assert smtp.SmtpSettings(**given).upgrades


def test_bounces_go_where_they_are_wanted():
    vendor = test_smtp.TestContract().accepting()
    test_smtp.TestContract().sending(vendor, bounce_to="bounces@example.net", domain="mail.example.net")
    (mail,) = vendor.mails
    assert mail.sender == "bounces@example.net"
    assert test_smtp.parsed(mail.raw)["message-id"] == "<3fL.12.0@mail.example.net>"
