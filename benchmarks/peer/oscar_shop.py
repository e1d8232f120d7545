"""django-oscar: `OrderCreator.place_order` on baskets that were filled before, then the payment's rows and the order's next status.

Oscar has no idempotency key (its order number is unique, which serves), no outbox, and keeps no document; it has rows of its own instead.
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from oscar import INSTALLED_APPS
from oscar import defaults as oscar_defaults

from benchmarks.load import Load, threaded_loop
from benchmarks.peer.task import WORKLOAD, Asked, asked, charge, tell

BASKETS_A_SECOND = 60  # filled before, more than it places


def configure(wanted: Asked) -> None:
    """Set Django up as Oscar's manual says, on the given database."""
    parts = urlsplit(wanted.url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port,
        "CONN_MAX_AGE": None,
    }
    own = {name: value for name, value in vars(oscar_defaults).items() if name.isupper()}
    settings.configure(
        **own,
        DATABASES={"default": database},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.sites",
            "django.contrib.flatpages",
            *INSTALLED_APPS[INSTALLED_APPS.index("oscar.config.Shop") :],
        ],
        SITE_ID=1,
        ROOT_URLCONF="oscar.urls",
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        SECRET_KEY="of this run",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        OSCAR_INITIAL_ORDER_STATUS="Pending",
        OSCAR_INITIAL_LINE_STATUS="Pending",
        OSCAR_ORDER_STATUS_PIPELINE={"Pending": ("Paid",), "Paid": ()},
    )
    django.setup()


def run() -> Load:
    """Place orders for some seconds."""
    wanted = asked()
    configure(wanted)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return _placed(wanted)


def _placed(wanted: Asked) -> Load:
    from django.db import connection, transaction
    from oscar.apps.order.utils import OrderCreator
    from oscar.apps.payment.models import Source, SourceType
    from oscar.apps.shipping.methods import Free
    from oscar.core.prices import Price

    source_type = SourceType.objects.create(name="card")
    baskets = _baskets(int(wanted.seconds * BASKETS_A_SECOND) + 50)
    method, creator = Free(), OrderCreator()
    here = threading.local()

    def call(n: int) -> None:
        if n >= len(baskets):
            raise RuntimeError("no basket is left: fill more of them")
        here.used = True
        basket, total = baskets[n]
        order = creator.place_order(
            basket, total, method, Price("EUR", Decimal(0), Decimal(0)), order_number=f"checkout-{n:012d}"
        )
        reference = charge(order.number, int(total.incl_tax * 100))
        with transaction.atomic():
            source = Source.objects.create(order=order, source_type=source_type, currency="EUR", reference=reference)
            source.debit(total.incl_tax, reference)
            order.set_status("Paid")
            basket.submit()

    for n in range(10):
        call(n)
    load = threaded_loop(call, callers=wanted.callers, seconds=wanted.seconds, server_pid=wanted.server_pid, first=10)
    connection.close()
    return load


def _baskets(count: int) -> list[tuple[Any, Any]]:
    """Fill baskets with the orders' lines, as customers did before they check out."""
    from django.db import transaction
    from oscar.apps.basket.models import Basket
    from oscar.apps.catalogue.models import Product, ProductClass
    from oscar.apps.partner.models import Partner, StockRecord
    from oscar.apps.partner.strategy import Default
    from oscar.core.prices import Price

    kind = ProductClass.objects.create(name="thing")
    partner = Partner.objects.create(name="shop")
    skus = sorted({sku for n in range(count) for sku, _, _ in WORKLOAD.picked(n)})
    products = Product.objects.bulk_create(
        Product(title=f"Thing {sku}", slug=sku.lower(), upc=sku, product_class=kind, structure="standalone")
        for sku in skus
    )
    by_sku = dict(zip(skus, products, strict=True))
    StockRecord.objects.bulk_create(
        StockRecord(
            product=by_sku[sku],
            partner=partner,
            partner_sku=sku,
            price=Decimal("12.50"),
            price_currency="EUR",
            num_in_stock=10_000_000,
        )
        for sku in skus
    )
    filled = []
    with transaction.atomic():
        for n in range(count):
            basket = Basket.objects.create()
            basket.strategy = Default()
            for sku, quantity, _ in WORKLOAD.picked(n):
                basket.add_product(by_sku[sku], quantity)
            total = Price("EUR", basket.total_excl_tax, basket.total_excl_tax)
            filled.append((basket, total))
    return filled


if __name__ == "__main__":
    tell(run())
