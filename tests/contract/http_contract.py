"""The contract over HTTP: scripted servers and the meaning of every status where a vendor documents no other."""

from dispatcher.model.outcome import Misconfigured, OutcomeUnknown, Throttled
from tests.contract.http_vendor import Fault, HttpVendor, always, reply
from tests.contract.provider_contract import ProviderContract


class HttpContract(ProviderContract):
    """To supply besides: `success`, `error`, `read`, and what differs from the usual statuses."""

    success: bytes
    meanings: dict = {}  # noqa: RUF012  # status → type of outcome, where this vendor differs
    refused_credentials = 401

    def error(self, status):
        """The vendor's error body for a status, naming the first recipient's address."""

    def read(self, request):
        """The recipients of one recorded request, as `Arrived`."""

    def accepting(self):
        return HttpVendor(always(self.success))

    def answering_each(self, statuses):
        return HttpVendor(lambda _request: reply(status := next(statuses), self.error(status)))

    def throttling(self, seconds):
        return HttpVendor(always(reply(429, self.error(429), {"Retry-After": str(seconds)})))

    def mute(self):
        return HttpVendor(always(Fault.MUTE))

    def cutting(self):
        return HttpVendor(always(Fault.RESET))

    def babbling(self):
        return HttpVendor(always(reply(201, b"<html>\x00\xff not what you asked for")))

    def refusing_credentials(self):
        return self.answering(self.refused_credentials)

    def arrived(self, vendor):
        return [one for request in vendor.requests for one in self.read(request)]

    def expected(self, status):
        if status in self.meanings:
            return self.meanings[status]
        if status == 429:
            return Throttled
        return Misconfigured if 300 <= status < 500 and status not in (408, 409, 425, 499) else OutcomeUnknown

    def test_a_redirect_is_not_followed(self):
        elsewhere = HttpVendor(always(reply(307, b"", {"Location": "/elsewhere"})))
        (outcome,) = self.sending(elsewhere)
        assert isinstance(outcome, Misconfigured)
        assert len(elsewhere.requests) == 1

    def test_a_broken_status_line_leaves_the_outcome_open(self):
        (outcome,) = self.sending(HttpVendor(always(Fault.GARBAGE)))
        assert isinstance(outcome, OutcomeUnknown)
