"""A made-up shop's months in the form of the real data: the same columns, and the same kinds of dirt in the same proportions.

The same seed writes the same file. It exists so that `orderkit demo` and the tests have something to replay without any data at hand.
"""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
_NOUNS = (
    "HEART",
    "LANTERN",
    "MUG",
    "CUSHION",
    "CLOCK",
    "TEAPOT",
    "CANDLE",
    "BUNTING",
    "TIN",
    "FRAME",
    "DOORMAT",
    "BASKET",
)
_ADJECTIVES = ("WHITE HANGING", "RED RETROSPOT", "VINTAGE", "PINK POLKADOT", "WOODEN", "ENAMEL", "PARTY", "SWEETHEART")
_COUNTRIES = ("United Kingdom",) * 12 + ("Germany", "France", "EIRE", "Netherlands")
_SUB_PENNY = 0.003
_START = datetime(2010, 3, 1, 8, 0)

Row = tuple[str, str, str, int, str, str, str, str]


def write_sample(path: Path, *, invoices: int = 400, seed: int = 7) -> int:
    """Write a file with that many sales invoices and their credit notes; return the number of lines."""
    dice = random.Random(seed)
    catalog = _catalog(dice)
    rows: list[Row] = []
    bought: list[tuple[str, Row]] = []
    moment, number = _START, 500_001
    for _ in range(invoices):
        moment = _next_hour(dice, moment)
        sale = _sale(dice, catalog, str(number), moment)
        number += 1
        rows += sale
        bought += [(row[6], row) for row in sale if row[6] and row[1].isalnum() and row[3] > 0 and float(row[5]) > 0]
        if bought and dice.random() < 0.12:
            rows += _credit(dice, bought, f"C{number}", moment + timedelta(hours=2))
            number += 1
        if dice.random() < 0.02:
            rows.append(_oddity(dice, catalog, str(number), moment))
            number += 1
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)
    return len(rows)


def _catalog(dice: random.Random) -> list[tuple[str, str, str]]:
    items = []
    for n in range(120):
        code = f"{20_000 + n * 37}{dice.choice(('', '', 'A', 'B'))}"
        name = f"{dice.choice(_ADJECTIVES)} {dice.choice(_NOUNS)}"
        items.append(
            (
                code,
                name,
                dice.choice(("0.42", "0.85", "1.25", "1.65", "2.10", "2.95", "4.95", "6.75", "12.75", "0.38")),
            )
        )
    return items


def _next_hour(dice: random.Random, moment: datetime) -> datetime:
    moment += timedelta(minutes=dice.randint(5, 180))
    return moment if moment.hour < 18 else moment.replace(hour=8, minute=dice.randint(0, 59)) + timedelta(days=1)


def _sale(dice: random.Random, catalog: list[tuple[str, str, str]], number: str, moment: datetime) -> list[Row]:
    guest = dice.random() < 0.2
    country = dice.choice(_COUNTRIES)
    customer = "" if guest else str(13_000 + dice.randint(0, 59))
    at = f"{moment:%Y-%m-%d %H:%M:%S}"
    rows: list[Row] = []
    for _ in range(min(40, 1 + int(dice.expovariate(1 / 9)))):
        code, name, price = dice.choice(catalog)
        price = "0.375" if dice.random() < _SUB_PENNY else price
        rows.append((number, code, name, dice.choice((1, 1, 2, 3, 4, 6, 12, 24)), at, price, customer, country))
    if country != "United Kingdom":
        rows.append((number, "POST", "POSTAGE", 1, at, "18.00", customer, country))
    if guest and dice.random() < 0.3:
        rows.append((number, "DOT", "DOTCOM POSTAGE", 1, at, "9.95", customer, country))
    return rows


def _credit(dice: random.Random, bought: list[tuple[str, Row]], number: str, moment: datetime) -> list[Row]:
    customer, row = dice.choice(bought[-300:])
    units = dice.randint(1, row[3])
    at = f"{moment:%Y-%m-%d %H:%M:%S}"
    rows: list[Row] = [(number, row[1], row[2], -units, at, row[5], customer, row[7])]
    if dice.random() < 0.2:
        rows.append((number, "POST", "POSTAGE", -1, at, "3.00", customer, row[7]))
    return rows


def _oddity(dice: random.Random, catalog: list[tuple[str, str, str]], number: str, moment: datetime) -> Row:
    at = f"{moment:%Y-%m-%d %H:%M:%S}"
    code, name, _ = dice.choice(catalog)
    return dice.choice(
        (
            (number, code, "damages", -dice.randint(1, 20), at, "0", "", "United Kingdom"),
            (number, "BANK CHARGES", "Bank Charges", 1, at, "15.00", "", "United Kingdom"),
            (f"A{number}", "B", "Adjust bad debt", 1, at, "-120.50", "", "United Kingdom"),
            (number, "TEST001", "This is a test product.", 3, at, "4.50", "12346", "United Kingdom"),
            (number, "M", "Manual", 1, at, "25.00", "13001", "United Kingdom"),
            (number, code, name, 2, at, "0", "", "United Kingdom"),
        )
    )
