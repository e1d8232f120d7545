"""The one list of error codes: title, HTTP status hint, fault, outcome, and what to do now.

Exceptions, problem+json bodies, the documentation page and `orderkit explain` all read it; a test keeps every code that is raised
anywhere in here, and every code in here on the documentation page. It knows nothing of exceptions.
"""

from __future__ import annotations

from typing import Literal

import attrs

Fault = Literal["caller", "nobody", "host", "provider", "installation", "library"]
Outcome = Literal["applied", "not_applied", "unknown"]


@attrs.frozen
class Entry:
    """One page of the catalog."""

    code: str
    title: str
    status: int
    fault: Fault
    outcome: Outcome
    remedy: str
    retryable: bool = False


def _caller(code: str, status: int, title: str, remedy: str) -> Entry:
    return Entry(code, title, status, "caller", "not_applied", remedy)


_ENTRIES = (
    # what you sent cannot be right
    _caller("invalid_input", 422, "The request cannot be right", "Correct the named field and send it again."),
    _caller("malformed", 400, "The request cannot be read", "Send a well-formed request with every required field."),
    _caller(
        "invalid_quantity",
        422,
        "A quantity is not a whole number above zero",
        "Send a whole number of units, 1 or more.",
    ),
    _caller(
        "invalid_money",
        422,
        "An amount of money is not exact",
        'Send amounts as text such as "12.50", or as whole numbers; never as a float.',
    ),
    _caller(
        "money_precision",
        422,
        "An amount has more decimals than its currency",
        "Round the amount to the currency's minor unit first.",
    ),
    _caller(
        "unknown_currency", 422, "The currency code is not known", "Send an ISO 4217 code such as EUR, JPY or KWD."
    ),
    _caller("mixed_currency", 422, "Two currencies meet in one order", "Place one order per currency."),
    _caller("empty_cart", 422, "There is nothing to order", "Add at least one line with a quantity above zero."),
    _caller("too_many_lines", 422, "The order has more than 1,000 lines", "Split the cart into several orders."),
    _caller("unknown_sku", 422, "A SKU is not stocked anywhere", "Check the SKU, or put stock for it first."),
    _caller(
        "unknown_warehouse",
        422,
        "The shop has no such warehouse",
        "Name a warehouse of the shop, or describe it in warehouses=, or put stock there first.",
    ),
    _caller(
        "unknown_line",
        422,
        "The order has no such line, SKU, shipment or return",
        "Name one that the order has; the message or the order itself says which there are.",
    ),
    _caller(
        "total_mismatch",
        422,
        "The expected total is not the total",
        "Quote the cart again and show the customer the new total.",
    ),
    _caller(
        "discount_too_large",
        422,
        "A discount is larger than what it applies to",
        "Lower the discount or widen the lines it applies to.",
    ),
    _caller(
        "tenders_mismatch",
        422,
        "The tenders do not add up to what is to be paid",
        "Send tenders whose amounts add up to the order's total; for a confirmed order, to no more than is missing.",
    ),
    _caller(
        "invalid_key", 400, "The idempotency key is missing or unusable", "Send a key of 1 to 255 visible characters."
    ),
    _caller("invalid_address", 422, "The address is not complete", "Send street, city, zip and a two-letter country."),
    _caller("invalid_cursor", 400, "The page cursor does not belong to this query", "Start again without a cursor."),
    _caller("unauthenticated", 401, "No usable credentials came with the request", "Sign in and send the credentials."),
    _caller("forbidden", 403, "This actor may not do that", "Ask somebody with the named permission."),
    _caller("not_found", 404, "Nothing has that name", "Check the id."),
    _caller(
        "order_not_found", 404, "No order has that id", "Check the order id; `orderkit order list` shows what there is."
    ),
    # a rule says no
    _caller(
        "not_allowed",
        409,
        "The order does not allow that now",
        "Ask for the order's actions; they say what is possible and until when.",
    ),
    _caller("illegal_transition", 409, "That step does not lead anywhere from here", "Ask for the order's actions."),
    _caller("already_shipped", 409, "The goods have left the warehouse", "Open a return when they arrive."),
    _caller("already_cancelled", 409, "That is cancelled already", "Nothing is left to do."),
    _caller(
        "cutoff_passed",
        409,
        "The processing cutoff has passed",
        "Ask the warehouse to refuse the shipment, or open a return.",
    ),
    _caller("order_on_hold", 409, "The order is on hold", "Release the hold first."),
    _caller("return_window_closed", 422, "The return window has closed", "Offer a goodwill refund instead."),
    _caller(
        "not_returnable",
        422,
        "Those units cannot be returned",
        "Return no more than was delivered and is not in a return already.",
    ),
    _caller(
        "refund_exceeds_captured",
        422,
        "The refund is more than what is left of the captures",
        "Refund at most the remaining amount.",
    ),
    _caller(
        "capture_exceeds_authorized",
        422,
        "The capture is more than the authorization",
        "Capture at most what is authorized.",
    ),
    _caller(
        "action_in_flight",
        409,
        "Money is already moving for this",
        "Wait for the running operation; its answer decides.",
    ),
    _caller("nothing_due", 409, "Nothing is left to pay", "Nothing is left to do."),
    _caller(
        "out_of_stock",
        422,
        "Something in the order is out of stock",
        "Take the named items out of the cart, or fewer of them.",
    ),
    _caller("payment_declined", 402, "The payment was declined", "Pay the same order with another tender."),
    _caller("key_reused", 422, "The idempotency key was used for another request", "Use a new key for a new request."),
    _caller("unsupported", 422, "The adapter cannot do that", "Choose an adapter that declares the capability."),
    # nobody's fault, and the host's
    Entry(
        "version_conflict",
        "Somebody changed the order first",
        409,
        "nobody",
        "not_applied",
        "Load the order and decide again.",
        True,
    ),
    Entry(
        "stock_contended",
        "The stock changed again and again while the order was placed",
        409,
        "nobody",
        "not_applied",
        "Send it again.",
        True,
    ),
    Entry(
        "lease_lost",
        "Another worker took the order over",
        409,
        "nobody",
        "not_applied",
        "Do nothing: the other worker goes on.",
        False,
    ),
    Entry(
        "overloaded",
        "Too many requests are running",
        503,
        "host",
        "not_applied",
        "Wait a moment and send it again with the same key.",
        True,
    ),
    Entry(
        "rate_limited",
        "Too many requests from this caller",
        429,
        "caller",
        "not_applied",
        "Wait for Retry-After seconds.",
        True,
    ),
    Entry(
        "shop_closed",
        "The shop was closed",
        500,
        "host",
        "not_applied",
        "Open a shop again; close it when nobody needs it any more.",
    ),
    # outside
    Entry(
        "port_failed", "Something outside failed", 503, "provider", "unknown", "Send it again with the same key.", True
    ),
    Entry(
        "payment_unknown",
        "The payment provider's answer is not known",
        502,
        "provider",
        "unknown",
        "Do not pay again: poll the order, or repeat with the same key; the resolver asks the provider.",
        True,
    ),
    Entry(
        "carrier_refused",
        "The carrier does not take the parcel",
        422,
        "provider",
        "not_applied",
        "Choose another carrier, or correct the address.",
    ),
    Entry(
        "carrier_unknown",
        "The carrier's answer is not known",
        502,
        "provider",
        "unknown",
        "Ship it again: the same booking is asked for, never a second one.",
        True,
    ),
    Entry(
        "store_unavailable",
        "The store cannot be reached",
        503,
        "provider",
        "not_applied",
        "Send it again with the same key.",
        True,
    ),
    Entry(
        "commit_unknown",
        "The connection was lost at COMMIT",
        503,
        "provider",
        "unknown",
        "Send it again with the same key.",
        True,
    ),
    Entry(
        "order_damaged",
        "What is stored of the order cannot be read",
        500,
        "installation",
        "not_applied",
        "Run `orderkit audit verify`, and restore what it names from a backup: somebody wrote into the store by hand, or its disk is at fault.",
    ),
    Entry(
        "book_unreadable",
        "A provider's book cannot be read",
        503,
        "provider",
        "not_applied",
        "Restore the file, or start with an empty book.",
        False,
    ),
    # the installation
    Entry("misconfigured", "The installation is wrong", 500, "installation", "not_applied", "See the message."),
    Entry(
        "bad_url",
        "That is no adapter URL",
        500,
        "installation",
        "not_applied",
        "Write it as scheme:…, for example sqlite:///shop.db.",
    ),
    Entry(
        "unknown_scheme",
        "No adapter has that scheme",
        500,
        "installation",
        "not_applied",
        "Run `orderkit adapters list`.",
    ),
    Entry(
        "ambiguous_scheme",
        "Two distributions claim one scheme",
        500,
        "installation",
        "not_applied",
        "Uninstall one of them.",
    ),
    Entry(
        "missing_driver",
        "The adapter's driver is not installed",
        500,
        "installation",
        "not_applied",
        "Install the named extra.",
    ),
    Entry(
        "missing_port",
        "No adapter answers that effect",
        500,
        "installation",
        "not_applied",
        "Pass a URL for the port to orderkit.open().",
    ),
    Entry(
        "schema_missing",
        "The store has no orderkit tables",
        500,
        "installation",
        "not_applied",
        "Run `orderkit migrate --store URL`.",
    ),
    Entry(
        "topics_missing",
        "The broker has no topics for the events",
        500,
        "installation",
        "not_applied",
        "Make the topics, or add create=yes to the address of the bus, with partitions= and replication=; what waits is published then.",
    ),
    Entry(
        "schema_outdated",
        "The store's tables are of another version",
        500,
        "installation",
        "not_applied",
        "Run `orderkit migrate --store URL`.",
    ),
    Entry("file_missing", "The file cannot be opened", 500, "installation", "not_applied", "Check the path."),
    Entry(
        "wrong_columns",
        "The file does not have the columns it needs",
        500,
        "installation",
        "not_applied",
        "Compare its header with the documented ones.",
    ),
    Entry(
        "autocommit_refused",
        "The host's connection commits by itself",
        500,
        "installation",
        "not_applied",
        "Open a transaction and pass that.",
    ),
    Entry(
        "flow_misused",
        "A flow awaited something its driver cannot answer",
        500,
        "host",
        "unknown",
        "Await effects and flows only.",
    ),
    # bugs
    Entry(
        "internal", "An unexpected fault", 500, "library", "unknown", "Repeat with the same key; report it if it stays."
    ),
)

CATALOG: dict[str, Entry] = {entry.code: entry for entry in _ENTRIES}
