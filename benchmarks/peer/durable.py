"""DBOS: a placement as a durable workflow of three steps, two of them transactions of its data source, with the work of the handler.

The workflow's id is the idempotency key, as DBOS advises. Its own tables lie in the same database; nothing is tuned beyond pool sizes.
"""

from __future__ import annotations

import uuid
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID, SQLAlchemyDatasource
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks.load import Load, threaded_loop
from benchmarks.peer.models import accepted, confirmed, filled
from benchmarks.peer.task import Asked, asked, charge, request, tell


def run() -> Load:
    """Place orders for some seconds."""
    wanted = asked()
    with Session(create_engine(wanted.sqlalchemy_url)) as session:
        filled(session)
    place = _workflow(wanted)
    try:

        def call(n: int) -> None:
            with SetWorkflowID(f"checkout-{n:012d}"):
                place(f"checkout-{n:012d}", request(n))

        threaded_loop(call, callers=wanted.callers, seconds=2, first=1_000_000)
        return threaded_loop(call, callers=wanted.callers, seconds=wanted.seconds, server_pid=wanted.server_pid)
    finally:
        DBOS.destroy()


def _workflow(wanted: Asked) -> Any:
    config: DBOSConfig = {
        "name": "peer",
        "system_database_url": wanted.url,
        "sys_db_pool_size": 20,
        "log_level": "ERROR",
        "run_admin_server": False,
    }
    DBOS(config=config)
    source = SQLAlchemyDatasource.create(database_url=wanted.url, engine_kwargs={"pool_size": 20, "max_overflow": 0})

    @source.transaction(isolation_level="READ COMMITTED")
    def accept(key: str, order: dict[str, Any]) -> tuple[str, str, int]:
        order_id, payment_id, total = accepted(source.sql_session(), key, order)
        return str(order_id), str(payment_id), total

    @DBOS.step()
    def pay(key: str, total: int) -> str:
        return charge(key, total)

    @source.transaction(isolation_level="READ COMMITTED")
    def confirm(order_id: str, payment_id: str, reference: str) -> str:
        return confirmed(source.sql_session(), uuid.UUID(order_id), uuid.UUID(payment_id), reference)

    @DBOS.workflow()
    def place(key: str, order: dict[str, Any]) -> str:
        order_id, payment_id, total = accept(key, order)
        return str(confirm(order_id, payment_id, pay(key, total)))

    DBOS.launch()
    return place


if __name__ == "__main__":
    tell(run())
