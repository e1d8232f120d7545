"""`orderkit audit` finds every kind of tampering on both databases, a cut tail too where heads were anchored, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result

from orderkit.cli.main import root
from orderkit.domain.value import evolve
from orderkit.ports.audit import ChainedLog
from orderkit.ports.store import Commit
from orderkit.testing.samples import LIFE_STOCK, a_commit, a_life, goods, next_commit, paid
from orderkit_sql import SqlStore, open_store
from orderkit_sql.codec import CHAIN_START, chained, encode

ORDER = "019cb3a5-4c00-7abc-8def-0123456789ab"
STRANGE = "019cb3a5-4c00-7abc-8def-000000000000"


@attrs.frozen
class Case:
    """A store with three orders, and a way around its guards."""

    store: SqlStore
    address: str
    commits: tuple[Commit, ...]

    def tamper(self, *statements: str, **values: object) -> None:
        """Change rows as the owner of the database could: with the guards switched off."""
        tables = self.store.database.tables
        names = {name: self.store.database.name(getattr(tables, name)) for name in ("orders", "records", "texts")}
        with self.store._engine.begin() as connection:
            if self.address.startswith("sqlite"):
                for what in ("update", "delete"):
                    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS orderkit_records_no_{what}")
            else:
                connection.exec_driver_sql(f"ALTER TABLE {names['records']} DISABLE TRIGGER USER")
            for statement in statements:
                mark = "?" if self.address.startswith("sqlite") else "%s"
                used = [name for name in values if f":{name}" in statement]
                for name in used:
                    statement = statement.replace(f":{name}", mark)  # noqa: PLW2901  (one at a time)
                connection.exec_driver_sql(statement.format(**names), tuple(values[name] for name in used))

    def audit(self, *options: str, status: int) -> list[str]:
        """Run `orderkit audit verify`; return what it found."""
        done = run("audit", "verify", "--store", self.address, "--format", "json", *options)
        assert done.exit_code == status, done.output
        return [f"{f['order_id']}: {f['problem']}" for f in json.loads(done.stdout)["findings"]]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, arguments)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """A store with a whole life, an order of three steps, and one of two."""
    address = f"sqlite:///{tmp_path}/shop.db"
    if request.param == "postgresql":
        address = request.getfixturevalue("make_postgres_database")()
    with closing(open_store(address, create=True)) as store:
        stock = {**LIFE_STOCK, ("CUP", "berlin"): 9}
        store.put_stock_many([goods(f"{sku}/{place}", sku, place, n) for (sku, place), n in stock.items()])
        first, other = a_commit(ORDER, {"CUP": 2}), a_commit("order-2", {"CUP": 1})
        second = paid(first.after)
        commits = (first, second, next_commit(second.after), other, paid(other.after))
        store.commit_many([*a_life("life-1"), *commits])
        yield Case(store, address, commits)


FLIPPED: Callable[[bytes], bytes] = lambda body: body[:40] + bytes([body[40] ^ 1]) + body[41:]  # noqa: E731


def test_all_is_well(case: Case) -> None:
    """Three orders, no finding, exit status 0; the store says that it can be audited."""
    assert isinstance(case.store, ChainedLog)
    assert case.audit(status=0) == []
    assert "3 orders and 0 anchors" in run("audit", "verify", "--store", case.address).output


def test_a_flipped_byte_is_found(case: Case) -> None:
    """One bit of one record."""
    case.tamper(
        f"UPDATE {{records}} SET body = :body WHERE order_id = '{ORDER}' AND version = 2",
        body=FLIPPED(encode(case.commits[1].record)),
    )

    assert f"{ORDER}: the hash is not that of the record and the one before it" in case.audit(status=1)


def test_a_deleted_record_is_found(case: Case) -> None:
    """The gap is named."""
    case.tamper(f"DELETE FROM {{records}} WHERE order_id = '{ORDER}' AND version = 2")

    assert case.audit(status=1) == [f"{ORDER}: version 2 is missing from the log"]


def test_an_inserted_record_is_found(case: Case) -> None:
    """A record that continues the chain with a right hash, but that the order knows nothing of; and an order that has only a record."""
    columns = "order_id, version, at, actor, reason, from_status, to_status, body, previous_hash, hash"
    copied = "at, actor, reason, from_status, to_status, body, hash, :hash"
    case.tamper(
        f"INSERT INTO {{records}} ({columns}) SELECT order_id, 4, {copied} FROM {{records}} WHERE order_id = '{ORDER}' AND version = 3",
        f"INSERT INTO {{records}} ({columns}) SELECT '{STRANGE}', version, {copied} FROM {{records}}"
        f" WHERE order_id = '{ORDER}' AND version = 1",
        hash=chained(CHAIN_START, b"invented"),
    )
    found = case.audit(status=1)

    assert any(finding.startswith(f"{ORDER}: the order is at version 3") for finding in found)
    assert any(finding.startswith(f"{STRANGE}:") for finding in found)


def test_a_cut_tail_is_found(case: Case) -> None:
    """The last record goes, the order's row stays."""
    case.tamper(f"DELETE FROM {{records}} WHERE order_id = '{ORDER}' AND version = 3")

    assert case.audit(status=1) == [f"{ORDER}: the order is at version 3, the log ends at 2"]


def test_swapped_records_are_found(case: Case) -> None:
    """Two records of one order change places."""
    case.tamper(
        f"UPDATE {{records}} SET body = :third WHERE order_id = '{ORDER}' AND version = 2",
        f"UPDATE {{records}} SET body = :second WHERE order_id = '{ORDER}' AND version = 3",
        second=encode(case.commits[1].record),
        third=encode(case.commits[2].record),
    )
    found = case.audit(status=1)

    assert found.count(f"{ORDER}: the hash is not that of the record and the one before it") == 2
    assert {finding.partition(":")[0] for finding in found} == {ORDER}


def test_erasing_personal_data_is_no_finding(case: Case) -> None:
    """Names, addresses and contacts stand in the document and the search words only; emptying them leaves every chain and replay right."""
    facts = case.commits[2].after.facts
    erased = evolve(
        facts,
        contact="",
        ship_to=evolve(facts.ship_to, name="", street="erased", city="erased", zip="erased"),
    )
    case.tamper(
        f"UPDATE {{orders}} SET document = :document WHERE id = '{ORDER}'",
        f"UPDATE {{texts}} SET text = '' WHERE order_id = '{ORDER}'",
        document=encode(erased),
    )
    order = case.store.load_many([ORDER])[0]

    assert order is not None
    assert order.facts.ship_to.name == ""
    assert case.audit(status=0) == []


# ---- anchors


def rolled_back(case: Case) -> None:
    """Cut the last record and make the order's row what it was before, so that nothing inside the store knows of it."""
    before = case.commits[1]
    hashes = [CHAIN_START]
    for commit in case.commits[:2]:
        hashes.append(chained(hashes[-1], encode(commit.record)))
    row = case.store.database.backend.moment(before.after.updated_at)
    case.tamper(
        f"DELETE FROM {{records}} WHERE order_id = '{ORDER}' AND version = 3",
        f"UPDATE {{orders}} SET version = 2, updated_at = :at, log_head = :head, state = :state WHERE id = '{ORDER}'",
        at=row,
        head=hashes[-1],
        state=_state(before),
    )


def _state(commit: Commit) -> bytes:
    from orderkit_sql.codec import state_of  # noqa: PLC0415  (beside its only use)

    return encode(state_of(commit.after))


def test_only_an_anchor_knows_of_a_tail_that_was_cut_with_everything(case: Case, tmp_path: Path) -> None:
    """Inside the store all is well again; the head that was kept elsewhere says otherwise."""
    heads = tmp_path / "heads.jsonl"
    assert run("audit", "anchor", "--store", case.address, "--out", str(heads)).exit_code == 0
    assert case.audit("--anchors", str(heads), status=0) == []
    rolled_back(case)

    assert case.audit(status=0) == []
    assert case.audit("--anchors", str(heads), status=1) == [
        f"{ORDER}: the log ends before the record that was anchored"
    ]


def test_a_log_that_went_on_still_holds_its_anchors(case: Case, tmp_path: Path) -> None:
    """New records of anchored orders, and new orders, are no finding; an anchor since then has only those."""
    heads, later = tmp_path / "heads.jsonl", tmp_path / "later.jsonl"
    run("audit", "anchor", "--store", case.address, "--out", str(heads), "--key", "secret")
    case.store.commit_many([next_commit(case.commits[2].after)])
    run("audit", "anchor", "--store", case.address, "--out", str(later), "--since", "2026-03-03T12:03:00")

    assert case.audit("--anchors", str(heads), "--key", "secret", status=0) == []
    assert {json.loads(line).get("order") for line in later.read_text().splitlines()} == {None, ORDER, "life-1"}


def test_another_record_than_the_anchored_one_is_found(case: Case, tmp_path: Path) -> None:
    """The chain was written anew from the start, hashes and all."""
    heads = tmp_path / "heads.jsonl"
    run("audit", "anchor", "--store", case.address, "--out", str(heads))
    case.tamper(f"UPDATE {{records}} SET hash = :hash WHERE order_id = '{ORDER}' AND version = 3", hash=bytes(32))

    assert f"{ORDER}: the record is not the one that was anchored" in case.audit("--anchors", str(heads), status=1)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("other", lambda text: text, "signed with another key"),
        ("secret", lambda text: text.replace('"version": 2', '"version": 1'), "not what was written"),
        ("secret", lambda text: "".join(text.splitlines(keepends=True)[:-2]), "no whole file"),
        ("", lambda text: text, "its key is needed"),
        ("secret", lambda text: "", "no whole file"),
    ],
)
def test_a_file_of_anchors_that_cannot_be_trusted_is_refused(
    tmp_path: Path, key: str, change: Callable[[str], str], message: str
) -> None:
    """A changed, shortened or differently signed file is no evidence; the command says why, with exit status 2."""
    address, heads = f"sqlite:///{tmp_path}/shop.db", tmp_path / "heads.jsonl"
    with closing(open_store(address)) as store:
        store.put_stock_many([goods("r1", "CUP", "berlin", 5)])
        first = a_commit("order-1", {"CUP": 1})
        store.commit_many([first, paid(first.after)])
    run("audit", "anchor", "--store", address, "--out", str(heads), "--key", "secret")
    heads.write_text(change(heads.read_text()))
    options = ["--key", key] if key else []
    done = run("audit", "verify", "--store", address, "--anchors", str(heads), *options)

    assert done.exit_code == 2
    assert message in done.output


def test_a_store_without_a_chain_says_so() -> None:
    """Memory keeps no hashes: there is nothing to audit, and that is an answer."""
    done = run("audit", "verify", "--store", "memory:")

    assert done.exit_code == 3
    assert "keeps no hash chain" in done.output
