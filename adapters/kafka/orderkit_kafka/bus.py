"""A bus in Kafka. What was published is in the topics of all its events, as often as it has to be and in the order of each order's versions.

A call returns when the brokers have acknowledged every message. If they do not within its time, what is still waiting is taken back: nothing
of it is sent later, when a newer record of the same order may be there already; the relay comes again with all of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from orderkit.catalog import Outcome
from orderkit.domain.events import Record
from orderkit.errors import Misconfigured, PortError
from orderkit.ports.bus import Subscriber
from orderkit_kafka.messages import CONTENT_TYPE, Message, messages_of
from orderkit_kafka.topics import DEAD, TOPICS, Layout

# Less than the lease of what the relay has taken, more than a broker needs to hand over to another.
TIMEOUT_SECONDS = 20.0
POLL_SECONDS = 0.02
# What makes a bus of it, and is nobody's choice: every message once in its partition, acknowledged by all replicas in sync, an order's
# messages where every other client would look for them, and none that is sent after it was given up.
PROPERTIES: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "enable.gapless.guarantee": True,  # what a broker refuses for good stops what comes after it
    "message.timeout.ms": 0,
}
# Other names of these, and what would undo them.
_ALIASES = frozenset(
    {
        "default.topic.config",
        "delivery.report.only.error",
        "transactional.id",
        "bootstrap.servers",
        "delivery.timeout.ms",
        "message.send.max.retries",
        "metadata.broker.list",
        "request.required.acks",
        "retries",
    }
)
# The driver tells every attempt at a connection; what matters is in the errors of the calls.
DEFAULTS: Mapping[str, Any] = {"client.id": "orderkit", "linger.ms": 5, "compression.type": "lz4", "log_level": 2}
_log = logging.getLogger("orderkit_kafka")


class KafkaBus:
    """Publishes to the topics of `TOPICS`, each behind `prefix`. Safe to use from many threads; nothing is connected until it is used."""

    def __init__(
        self,
        servers: str,
        *,
        prefix: str = "",
        source: str = "/orderkit",
        timeout_seconds: float = TIMEOUT_SECONDS,
        layout: Layout | None = None,
        **properties: Any,
    ) -> None:
        """Take `host:port,…`. With a `layout` topics that are not there are made; `properties` are the driver's own, such as those of TLS and SASL.

        Raises: `Misconfigured` for a property that the driver does not know, or that is no choice.
        """
        if chosen := sorted(set(properties) & {*PROPERTIES, *_ALIASES}):
            raise Misconfigured(f"{chosen[0]} is not to be chosen: a bus needs it as it is", field=chosen[0])
        self._settings = {**DEFAULTS, **properties, **PROPERTIES, "bootstrap.servers": servers}
        self._prefix, self._source = prefix, source
        self._timeout_seconds, self._layout = timeout_seconds, layout
        self._subscribers: tuple[Subscriber, ...] = ()
        self._producer: Producer | None = None
        self._closed, self._heard = False, ""
        self._lock = threading.Lock()
        self._made()  # nothing is connected by that, and what is wrong is said now

    def publish(self, records: Sequence[Record]) -> None:
        """Publish the records, then hand them to this process's subscribers. Raises `PortError` when the brokers do not acknowledge all."""
        if messages := list(messages_of(records, source=self._source, prefix=self._prefix)):
            until = time.monotonic() + self._timeout_seconds
            with self._alone():
                self._send(self._ready(until), messages, until)
        for record in records:
            for subscriber in self._subscribers:
                subscriber(record)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call this for every record that this process publishes from now on."""
        self._subscribers = (*self._subscribers, subscriber)

    def close(self) -> None:
        """Drop the connections; a second time does nothing. Whatever was published has been acknowledged."""
        self._closed, self._producer = True, None

    # ---- sending

    def _send(self, producer: Producer, messages: Sequence[Message], until: float) -> None:
        reports: list[KafkaError | None] = []
        try:
            for message in messages:
                self._produce(producer, message, reports, until)
            while len(reports) < len(messages) and time.monotonic() < until:
                producer.poll(POLL_SECONDS)
            self._check(reports, len(messages))
        except KafkaException as error:  # the driver cannot go on
            self._give_up(producer)
            raise self._failed(error.args[0]) from error
        except BaseException:  # whatever ends it: nothing of it may be sent later
            self._give_up(producer)
            raise

    def _produce(self, producer: Producer, message: Message, reports: list[KafkaError | None], until: float) -> None:
        """Hand one message to the driver, whose queue may be full."""
        while time.monotonic() < until:
            with suppress(BufferError):
                try:
                    producer.produce(
                        message.topic,
                        message.value,
                        message.key,
                        headers={"content-type": CONTENT_TYPE},
                        on_delivery=lambda error, _: reports.append(error),
                    )
                except KafkaException as error:
                    what = f"{len(message.value):,} bytes of order {message.key.decode()!r} for {message.topic}"
                    raise self._failed(error.args[0], what=what) from error
                return
            producer.poll(POLL_SECONDS)
        raise PortError("the queue of Kafka's driver stays full", outcome="unknown")

    def _give_up(self, producer: Producer) -> None:
        """Take back what waits, and begin anew with the next call."""
        self._producer = None
        with suppress(KafkaException):
            producer.purge()
            producer.poll(0)

    # ---- brokers and topics

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one call publish at a time: what it takes back when it gives up is its own. Raises: `PortError`."""
        if not self._lock.acquire(timeout=self._timeout_seconds):
            raise PortError("others who publish to Kafka take too long", outcome="not_applied")
        try:
            yield
        finally:
            self._lock.release()

    def _ready(self, until: float) -> Producer:
        """Return the producer; a new one has looked whether the topics are there."""
        if self._closed:
            raise PortError("the bus is closed", outcome="not_applied")
        if self._producer is None:
            found = self._made()
            self._check_topics(found, until)
            self._producer = found
        return self._producer

    def _made(self) -> Producer:
        try:
            return Producer({**self._settings, "error_cb": self._hear}, logger=_log)
        except KafkaException as error:
            raise Misconfigured(f"the driver of Kafka refuses: {error.args[0].str()}", field="bus") from error
        except (AttributeError, TypeError, ValueError) as error:  # a property that is no text
            raise Misconfigured(f"the driver of Kafka refuses: {error}", field="bus") from error

    def _hear(self, error: KafkaError) -> None:
        """Keep what the driver says in the meantime: a call that fails by its time alone would not know why."""
        self._heard = error.str()

    def _check_topics(self, producer: Producer, until: float) -> None:
        """Make sure that every topic is there: a message to one that is not would wait until its time is up."""
        try:
            there = set(producer.list_topics(timeout=_left(until)).topics)
        except KafkaException as error:
            producer.poll(0)
            raise self._failed(error.args[0], outcome="not_applied") from error
        wanted = [self._prefix + topic for topic in TOPICS]
        if self._layout is not None:
            names = [name for topic in wanted for name in (topic, topic + DEAD) if name not in there]
            self._make(names, self._layout, until)
        elif missing := [name for name in wanted if name not in there]:
            raise Misconfigured(
                f"the topics are not there: {', '.join(missing)}; make them, or add create=yes to the address",
                code="topics_missing",
                field="bus",
                facts={"topics": missing},
            )

    def _make(self, names: Sequence[str], layout: Layout, until: float) -> None:
        if not names:
            return
        admin = AdminClient(self._settings, logger=_log)  # it has to live until the answers are there
        made = admin.create_topics(
            [NewTopic(name, layout.partitions, layout.replication, config=layout.settings) for name in names],
            request_timeout=_left(until),
        )
        for name, future in made.items():
            try:
                future.result(timeout=_left(until) + 1)
            except TimeoutError as error:
                raise PortError(f"Kafka did not say whether the topic {name} was made", outcome="unknown") from error
            except KafkaException as error:
                if error.args[0].retriable() or error.args[0].code() < 0:  # a broker that is not there, or not yet
                    raise self._failed(error.args[0]) from error
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                    raise Misconfigured(
                        f"the topic {name} cannot be made: {error.args[0].str()}", field="bus"
                    ) from error

    # ---- what went wrong

    def _check(self, reports: Sequence[KafkaError | None], messages: int) -> None:
        """Raise `PortError` unless every message was acknowledged."""
        if refused := [report for report in reports if report is not None]:
            raise self._failed(refused[0])
        if missing := messages - len(reports):
            why = f": {self._heard}" if self._heard else ""
            raise PortError(
                f"Kafka did not acknowledge {missing} of {messages} messages in time{why}", outcome="unknown"
            )
        self._heard = ""

    def _failed(self, error: KafkaError, *, what: str = "", outcome: Outcome = "unknown") -> PortError:
        said = [part for part in (what, error.name(), self._heard) if part]
        return PortError(f"Kafka failed: {': '.join(said)}", outcome=outcome, facts={"kafka": error.name()})


def _left(until: float) -> float:
    """Return the seconds that are left, a moment at least."""
    return max(until - time.monotonic(), 0.1)
