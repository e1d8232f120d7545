"""Use cases: `async def` functions that await effects and each other, and nothing else.

A flow loads, decides with a pure function of the domain, and commits one value. Which driver runs it, and whether its commit travels alone
or with hundreds of others, it does not know. A host's own flows stand on the same footing.
"""

from orderkit.flows.advancing import advance
from orderkit.flows.changing import add_lines, amend_address, amend_delivery, attend, cancel, hold, refund, release_hold
from orderkit.flows.fulfilling import deliver, dispatch, refuse, release, ship, track
from orderkit.flows.glancing import Glance, latest, status
from orderkit.flows.kit import Caller
from orderkit.flows.placing import Accepted, pay, place, tender
from orderkit.flows.reading import (
    cart_of,
    expected_refund,
    offered,
    order,
    orders,
    records,
    replay,
    stock,
    timeline,
    why,
)
from orderkit.flows.returning import (
    authorize_return,
    cancel_return,
    close_return,
    decline_return,
    receive_return,
    request_return,
    send_return,
)
from orderkit.flows.stocking import put_stock
from orderkit.flows.webhooks import receive_message
from orderkit.flows.working import sweep

__all__ = [
    "Accepted",
    "Caller",
    "Glance",
    "add_lines",
    "advance",
    "amend_address",
    "amend_delivery",
    "attend",
    "authorize_return",
    "cancel",
    "cancel_return",
    "cart_of",
    "close_return",
    "decline_return",
    "deliver",
    "dispatch",
    "expected_refund",
    "hold",
    "latest",
    "offered",
    "order",
    "orders",
    "pay",
    "place",
    "put_stock",
    "receive_message",
    "receive_return",
    "records",
    "refund",
    "refuse",
    "release",
    "release_hold",
    "replay",
    "request_return",
    "send_return",
    "ship",
    "status",
    "stock",
    "sweep",
    "tender",
    "timeline",
    "track",
    "why",
]
