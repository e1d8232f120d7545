"""Whole answers to requests that place or change: which status an order deserves, and the headers that go with it.

A header holds Latin letters only, while an id of the host's own, or the prefix of its paths, may be of any script: in headers those are
percent-encoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from orderkit import Order
from orderkit.domain.covering import answer_of
from orderkit.domain.owing import missing_minor
from orderkit.domain.status import word
from orderkit_fastapi import bodies
from orderkit_fastapi.problems import problem
from orderkit_fastapi.serving import Answer


def tag(order: Order) -> str:
    """Return the order's entity tag."""
    return tag_of(order.id, order.version)


def tag_of(order_id: str, version: int) -> str:
    """Return the entity tag of an order at a version."""
    return f'"{quote(order_id, safe="")}:v{version}"'


def link(url: object) -> str:
    """Return a URL as a header holds it; what is encoded in it stays as it is."""
    return quote(str(url), safe="%/:?#[]@!$&'()*+,;=~")


def headers(order: Order, *, replayed: bool = False) -> dict[str, str]:
    """Return the headers of an answer that shows this version of the order."""
    again = {"Idempotent-Replayed": "true"} if replayed else {}
    return {"ETag": tag(order), "Cache-Control": "no-store", **again}


def out_of_stock(order: Order) -> bool:
    """Whether the order ended at once because its goods were not there."""
    return order.state == "cancelled" and (order.reason or "").startswith("out_of_stock")


def _orders(request: Request) -> str:
    """Return the path of the orders: the request's own, less what the route has after it. Prefixes and ids may hold the same word."""
    path = quote(request.scope["path"])
    below = str(request.scope["route"].path).rpartition("/orders")[2].count("/")
    return path.rsplit("/", below)[0] if below else path


def placed(answer: Answer, request: Request, *, short: Sequence[Mapping[str, Any]] = ()) -> Response:
    """Say how a placement or a payment went: accepted, declined, out of stock, or nobody knows yet."""
    order, path = answer.order, request.url.path
    known = headers(order, replayed=answer.replayed)
    known["Location"] = f"{_orders(request)}/{quote(order.id, safe='')}"
    extra: dict[str, Any] = {"order_id": order.id, "order_status": word(order)}  # `status` is the protocol's
    if order.state == "payment_pending":
        why = "the payment provider has not answered; the order is kept"
        return problem("payment_unknown", why, path=path, extra=extra, headers=known)
    if order.state == "payment_failed":
        why = f"the payment was refused: {order.reason or 'declined'}"
        return problem("payment_declined", why, path=path, extra={**extra, "reason": order.reason}, headers=known)
    if out_of_stock(order):
        skus = sorted({str(line["sku"]) for line in short})
        extra["facts"] = {"skus": skus, "short": [dict(line) for line in short]}
        return problem("out_of_stock", f"out of stock: {', '.join(skus)}", path=path, extra=extra, headers=known)
    return JSONResponse(bodies.placed(order), status_code=201, headers=known)


def paid(answer: Answer, request: Request) -> Response:
    """Say how a payment went. A confirmed order is confirmed whatever another tender says, so it is the tender that is looked at."""
    order, path = answer.order, request.url.path
    if order.state != "confirmed" or not answer.tenders:
        return placed(answer, request)
    said = answer_of(order, answer.tenders)
    known = headers(order, replayed=answer.replayed)
    missing = {"missing": bodies.money(missing_minor(order), order)}
    extra: dict[str, Any] = {"order_id": order.id, "order_status": word(order), **missing}
    if said == "unknown":
        why = "the payment provider has not answered; the order stands, and the amount is held"
        return problem("payment_unknown", why, path=path, extra=extra, headers=known)
    if said == "declined":
        reason = order.payment(answer.tenders[0]).operations[0].reason
        why = f"the payment was refused: {reason or 'declined'}; what was missing is missing still"
        return problem("payment_declined", why, path=path, extra={**extra, "reason": reason}, headers=known)
    told = {**bodies.placed(order), **missing, "tender": said}
    known["Location"] = f"{_orders(request)}/{quote(order.id, safe='')}"
    return JSONResponse(told, status_code=201, headers=known)
