"""The hooks by which `kafka:` URLs come here. The driver is imported when a bus is opened.

kafka://localhost:9092                                    a bus whose topics are there
kafka://one:9092,two:9092?prefix=shop.                    several brokers to begin with; the topics are shop.order-events, …
kafka://localhost:9092?create=yes&replication=1           topics that are not there are made
kafka://one:9093?security.protocol=SSL&ssl.ca.location=…  options with a dot are the driver's own
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orderkit.errors import Misconfigured
from orderkit.plugins.hookspecs import hookimpl
from orderkit.plugins.url import Url
from orderkit.ports.bus import EventBus
from orderkit_kafka.topics import Layout

SCHEME = "kafka"
OPTIONS = ("prefix", "source", "timeout_ms", "create", "partitions", "replication", "min_insync", "retention_hours")
_BROKER = r"(?:[^/@#:,\[\]\s]+|\[[^/@#,\[\]\s]+\])(?::\d{1,5})?"
_BROKERS = re.compile(f"//{_BROKER}(?:,{_BROKER})*/?")
_PORTS = re.compile(r":(\d+)(?=,|/?$)")
_PORT_MAX = 65_535
_SOURCE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-zA-Z0-9._-]{0,100}")


@hookimpl
def open_bus(url: Url) -> EventBus | None:
    """Open the bus that the URL names."""
    if url.scheme != SCHEME:
        return None
    ports = [int(port) for port in _PORTS.findall(url.rest)]
    if _BROKERS.fullmatch(url.rest) is None or url.driver or not all(0 < port <= _PORT_MAX for port in ports):
        raise _bad(f"{str(url)!r} names no brokers: write kafka://host:9092, or several with commas between")
    url.accepts(*OPTIONS, *(name for name in url.query if "." in name))
    prefix = url.query.get("prefix", "")
    if _NAME.fullmatch(prefix) is None:
        raise _bad(
            "the option 'prefix' of kafka: has up to 100 letters, digits, dots, dashes, underscores", field="prefix"
        )
    source = url.query.get("source", "/orderkit")
    if _SOURCE.fullmatch(source) is None:
        raise _bad("the option 'source' of kafka: is a URI reference, without spaces, in ASCII", field="source")
    timeout_seconds = url.integer("timeout_ms", 20_000, lowest=100, highest=600_000) / 1_000
    layout = _layout(url)
    from orderkit_kafka.bus import KafkaBus  # noqa: PLC0415  (the driver only when a bus is opened)

    return KafkaBus(
        url.location.rstrip("/"),
        prefix=prefix,
        source=source,
        timeout_seconds=timeout_seconds,
        layout=layout,
        **{name: value for name, value in url.query.items() if "." in name},
    )


@hookimpl
def adapter_capabilities(scheme: str) -> Mapping[str, Any] | None:
    """Say what the adapter can do."""
    return {"bus": {"durable": True}} if scheme == SCHEME else None


def _layout(url: Url) -> Layout | None:
    """Return how missing topics are made, if they are to be made at all."""
    replication = url.integer("replication", 3, lowest=1, highest=99)
    layout = Layout(
        partitions=url.integer("partitions", 64, lowest=1, highest=10_000),
        replication=replication,
        min_insync=url.integer("min_insync", min(2, replication), lowest=1, highest=replication),
        retention_hours=url.integer("retention_hours", 7 * 24, lowest=1),
    )
    return layout if url.flag("create") else None


def _bad(message: str, field: str | None = None) -> Misconfigured:
    return Misconfigured(message, code="bad_url", field=field)
