"""What the vendors' references allow in a request, as models that refuse everything else.

Written from the published descriptions: SendGrid v3 mail/send, Twilio v2010 Messages, X v2 (all read 2026-11-22).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Text = Annotated[str, StringConstraints(min_length=1)]
RESERVED_HEADERS = {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
                    "to", "from", "subject", "reply-to", "cc", "bcc"}  # fmt: skip


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _bytes_of(pairs):
    return sum(len(k.encode()) + len(v.encode()) for k, v in pairs.items())


class MailParty(Closed):
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=320)]
    name: Annotated[str, StringConstraints(pattern=r"^[^;,\r\n]*$")] | None = None


class MailPersonalization(Closed):
    to: Annotated[list[MailParty], Field(min_length=1, max_length=1)]  # one person each, by rule of this house
    headers: dict[str, str] = {}
    substitutions: dict[str, str] = {}
    custom_args: dict[str, str]

    @field_validator("headers")
    @classmethod
    def _not_reserved(cls, headers):
        assert not {name.lower() for name in headers} & RESERVED_HEADERS
        assert all(value.isascii() and value.isprintable() for value in headers.values())
        return headers

    @field_validator("substitutions", "custom_args")
    @classmethod
    def _at_most_10_000_bytes(cls, pairs):
        assert _bytes_of(pairs) <= 10_000
        assert not any(" " in tag for tag in pairs)
        return pairs


class MailContent(Closed):
    type: Literal["text/plain", "text/html"]
    value: Text


class MailAttachment(Closed):
    content: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
    type: Literal["image/png", "image/jpeg"]
    filename: Text
    disposition: Literal["inline"]
    content_id: Annotated[str, StringConstraints(pattern=r"^[^\s<>@]+@[^\s<>@]+$")]


class Switch(Closed):
    enable: bool


class ClickSwitch(Switch):
    enable_text: bool = False


class MailSettings(Closed):
    footer: Switch | None = None
    sandbox_mode: Switch | None = None


class TrackingSettings(Closed):
    click_tracking: ClickSwitch
    open_tracking: Switch
    subscription_tracking: Switch
    ganalytics: Switch


class Asm(Closed):
    group_id: int


class SendGridMail(Closed):
    """POST /v3/mail/send."""

    personalizations: Annotated[list[MailPersonalization], Field(min_length=1, max_length=1000)]
    from_: MailParty = Field(alias="from")
    reply_to: MailParty | None = None
    subject: Text
    content: Annotated[list[MailContent], Field(min_length=1)]
    attachments: Annotated[list[MailAttachment], Field(max_length=1)] = []
    asm: Asm | None = None
    ip_pool_name: Annotated[str, StringConstraints(min_length=2, max_length=64)] | None = None
    mail_settings: MailSettings | None = None
    tracking_settings: TrackingSettings

    @model_validator(mode="after")
    def _plain_text_comes_first(self):
        kinds = [part.type for part in self.content]
        assert kinds == sorted(set(kinds), reverse=True)
        return self


class TwilioMessage(Closed):
    """POST /2010-04-01/Accounts/{AC}/Messages.json, as form fields."""

    To: Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")]
    Body: Annotated[str, StringConstraints(min_length=1, max_length=1600)]
    From: Text | None = None
    MessagingServiceSid: Annotated[str, StringConstraints(pattern=r"^MG[0-9a-fA-F]{32}$")] | None = None
    ValidityPeriod: Annotated[str, StringConstraints(pattern=r"^\d+$")]
    SmartEncoded: Literal["true", "false"]
    StatusCallback: Annotated[str, StringConstraints(pattern=r"^https?://[^\s_/]+/")] | None = None

    @model_validator(mode="after")
    def _limits(self):
        assert bool(self.From) != bool(self.MessagingServiceSid)
        assert 1 <= int(self.ValidityPeriod) <= 36_000
        return self


class XReply(Closed):
    in_reply_to_tweet_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
    exclude_reply_user_ids: list[str] | None = None


class XPost(Closed):
    """POST /2/tweets: nothing but what the description names."""

    text: Text
    reply: XReply | None = None
