"""The media side by side: which part files a template needs on a channel, and the form of an address there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dispatcher.channels import email, phone
from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel


@dataclass(frozen=True, slots=True)
class Medium:
    """`parts` are stems of part files (a locale may follow the stem): all of them must be there."""

    channel: Channel
    parts: tuple[str, ...]
    address: Callable[[str, str], str] | None = None


def _email(written: str, region: str) -> str:
    return email.canonical(written)


MEDIA: Mapping[Channel, Medium] = {
    Channel.EMAIL: Medium(Channel.EMAIL, ("email.subject.txt", "email.mjml", "email.txt"), _email),
    Channel.SMS: Medium(Channel.SMS, ("sms.txt",), phone.canonical),
    Channel.SOCIAL: Medium(Channel.SOCIAL, ("post.txt",)),
    Channel.CHAT: Medium(Channel.CHAT, ("chat.txt",)),
}


def missing(channel: Channel, present: set[str]) -> tuple[str, ...]:
    """Part files that a template lacks on a channel."""
    return tuple(part for part in MEDIA[channel].parts if part not in present)


def canonical(channel: Channel, written: str, region: str = "") -> str:
    """An address in the one form that is stored, compared and sent to."""
    form = MEDIA[channel].address
    if form is None:
        raise Refused(
            f"Nobody has an address on {channel}.",
            why="Messages there go out on accounts of our own.",
            mend="Name email or sms.",
            code="E-ADR",
        )
    return form(written, region)
