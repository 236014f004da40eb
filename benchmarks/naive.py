"""What most people build first: one Celery task per recipient or event, the vendor's SDK, one ORM row, two commits.

The worker is started as `celery -A benchmarks.naive worker`; it reads BENCH_BROKER, BENCH_SINK and BENCH_NAIVE_DB.
"""

import os

from celery import Celery
from sqlalchemy import String, create_engine
from sqlalchemy import event as listening
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

SINK = os.environ.get("BENCH_SINK", "")
ACCOUNT = "AC" + "0" * 32

app = Celery("naive", broker=os.environ.get("BENCH_BROKER", "memory://"))
app.conf.update(
    task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=4, worker_hijack_root_logger=False
)  # fmt: skip
_open = []


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "message"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    vendor_id: Mapped[str | None] = mapped_column(String(64), index=True)


def engine():
    if not _open:
        made = create_engine(os.environ["BENCH_NAIVE_DB"], connect_args={"timeout": 60})
        listening.listen(made, "connect", _be_quick)
        _open.append(made)
    return _open[0]


def _be_quick(connection, _):
    """The settings that people find when they ask why SQLite is slow; ours is held to safer ones."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def fill(people, address):
    """A fresh table with so many rows, all queued."""
    Base.metadata.drop_all(engine())
    Base.metadata.create_all(engine())
    with Session(engine()) as session:
        session.add_all(Message(id=i, address=address(i), state="queued") for i in range(1, people + 1))
        session.commit()


def left(state):
    with Session(engine()) as session:
        return session.query(Message).filter(Message.state != state).count()


@app.task(name="naive.mail")
def mail(number):
    _send(number, _mailed)


@app.task(name="naive.text")
def text(number):
    _send(number, _texted)


@app.task(name="naive.event")
def event(number, state):
    with Session(engine()) as session:
        session.get(Message, number).state = state
        session.commit()


def _send(number, call):
    with Session(engine()) as session:
        message = session.get(Message, number)
        message.state = "sending"
        session.commit()
        message.vendor_id = call(message.address)
        message.state = "sent"
        session.commit()


def _mailed(address):
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    made = Mail("news@example.com", address, "A drill", "A drill, and nothing more.", "<p>A drill.</p>")
    return SendGridAPIClient("SG.naive", host=SINK).send(made).headers.get("X-Message-Id")


def _texted(address):
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class ToSink(TwilioHttpClient):
        def request(self, method, url, *args, **kwargs):
            return super().request(method, url.replace("https://api.twilio.com", SINK), *args, **kwargs)

    if len(_open) < 2:
        _open.append(Client(ACCOUNT, "naive", http_client=ToSink()))
    return _open[1].messages.create(to=address, from_="+447700900999", body="A drill, and nothing more.").sid
