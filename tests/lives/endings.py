"""The laws of the end: first when the world has healed and workers have had their time, then when people have finished as well.

An order comes to rest or names what a person must do; in the end nobody owes anybody anything: what was due has been paid or given up.
"""

from __future__ import annotations

from collections.abc import Iterator

from orderkit.domain.quantities import Bucket
from tests.invoices import amounts
from tests.lives.books import Books, Law
from tests.lives.owed import at_rest, may_keep, sums

# ---- when the world has healed, and workers have had their time


def everything_comes_to_rest(books: Books) -> Iterator[str]:
    """No money is under way and no sequence half done; or the order names what a person must do."""
    for order in books.world.all():
        if not at_rest(order) and not order.findings:
            yield f"{order.id} is {order.state} with {[o.id for _, o in order.operations() if o.open]} open, and asks for nobody"


def nothing_is_left_to_do(books: Books) -> Iterator[str]:
    """The bank's letters are all read, and no worker has anything that is due."""
    late = [
        order.id
        for order in books.world.all()
        if (task := books.world.shop.why(order.id).waits_for) and task.at <= books.world.now
    ]
    yield from (f"{order_id} still waits for a worker" for order_id in late)
    yield from (
        f"letter {kept.message.id} waits: {kept.note}"
        for kept in books.world.store._inbox.values()
        if kept.due_at is not None
    )


def what_waits_gets_what_is_there(books: Books) -> Iterator[str]:
    """No units wait for goods while one warehouse has enough of them to spare."""
    levels = books.world.shop.stock()
    for order in books.world.all():
        for line in order.lines if order.state == "confirmed" and not order.findings else ():
            spare = max((x.on_hand - x.reserved for x in levels if x.sku == line.sku), default=0)
            if 0 < line[Bucket.BACKORDERED] <= spare:
                yield f"{order.id} line {line.number} waits for {line[Bucket.BACKORDERED]}, and {spare} are there"


HEALED: tuple[Law, ...] = (everything_comes_to_rest, nothing_is_left_to_do, what_waits_gets_what_is_there)


# ---- when people have finished, too


def nothing_stays_promised(books: Books) -> Iterator[str]:
    """When every parcel has left and every order is done, no shelf promises anything."""
    for level in books.world.shop.stock():
        if level.reserved:
            yield f"{level.sku} at {level.warehouse} still promises {level.reserved}"


def no_authorization_stays(books: Books) -> Iterator[str]:
    """The bank holds nothing of the customer's money for an order that is done."""
    for account in books.world.bank.accounts.values():
        if held := account.open_at(books.world.now):
            yield f"{account.payment}: the bank still holds {held}"


def everybody_is_even(books: Books) -> Iterator[str]:
    """The bank took, less what it gave back, exactly what is due: nothing of an order whose payment failed."""
    for order in books.world.all():
        has, wanted = sums(books, order).taken, may_keep(books, order)
        if has != wanted:
            yield f"{order.id} is {order.state} and due {wanted}, but the bank has {has} of it; it asks for {order.findings}"


def nothing_needs_a_person(books: Books) -> Iterator[str]:
    """After people have looked, no finding is left but that the bank has nothing to void: it let go by itself."""
    for order in books.world.all():
        gone = {f"void_failed:{o.id}" for payment, o in order.operations() if payment.id in books.world.bank.let_go}
        if left := [f for f in order.findings if f not in gone]:
            yield f"{order.id} still asks for {left}"


def papers_come_to_what_is_due(books: Books) -> Iterator[str]:
    """The invoices of an order less its credit memos are what is due; one that was never confirmed has none."""
    for order in books.world.all():
        papers = amounts(books.world.documents, order.id)
        confirmed = any(e.type == "order.confirmed" for r in books.world.shop.records(order.id) for e in r.events)
        if sum(papers.values()) != (order.due_minor if confirmed else 0):
            yield f"{order.id} is due {order.due_minor}, its papers are {papers}"


def returns_have_ended(books: Books) -> Iterator[str]:
    """No return is open any more, and every refund was paid out or needed no money."""
    for order in books.world.all():
        open_ = [
            r.id
            for r in order.returns
            if r.outstanding and r.state in ("requested", "authorized", "in_transit", "partially_received")
        ]
        unpaid = [f"{f.id} is {f.state}" for f in order.refunds if f.state != "refunded"]
        if open_ or unpaid:
            yield f"{order.id}: {open_} are open, {unpaid}"


FINISHED: tuple[Law, ...] = (
    *HEALED,
    nothing_stays_promised,
    no_authorization_stays,
    everybody_is_even,
    nothing_needs_a_person,
    papers_come_to_what_is_due,
    returns_have_ended,
)
