"""Errors as RFC 9457 problem+json, made from the error catalog: code, outcome, what to do now.

The router's own route class turns every error into a problem, so a host needs no handlers; `add_problem_handlers` does the same for the
host's other routes, unknown paths and methods.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException

from orderkit.catalog import CATALOG
from orderkit.errors import OrderkitError

MEDIA_TYPE = "application/problem+json"
_BY_STATUS = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "malformed",
    409: "version_conflict",
    429: "rate_limited",
    503: "overloaded",
}
_RETRY_SECONDS = {
    "rate_limited": 1,
    "overloaded": 1,
    "stock_contended": 1,
    "action_in_flight": 1,
    "store_unavailable": 2,
    "commit_unknown": 2,
    "port_failed": 2,
    "payment_unknown": 2,
}
# What pydantic calls a part that is not there or cannot be read; whatever else it refuses is well-formed and wrong.
_MALFORMED = ("missing", "json_invalid", "extra_forbidden")
_UNREADABLE = ("_type", "_parsing", "_attributes_type", "_unicode")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "outcome", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/cutoff_passed"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "outcome": {"type": "string", "enum": ["applied", "not_applied", "unknown"]},
        "retryable": {"type": "boolean"},
        "hint": {"type": "string"},
        "instance": {"type": "string"},
        "field": {"type": "string"},
        "order_id": {"type": "string"},
        "order_status": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "facts": {"type": "object"},
    },
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI responses that say problem+json for these statuses."""
    return {status: {"description": "A problem", "content": {MEDIA_TYPE: {"schema": SCHEMA}}} for status in statuses}


def problem(
    code: str,
    detail: str,
    *,
    path: str,
    status: int | None = None,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response for an error code; a status other than the code's own brings the protocol's title."""
    entry = CATALOG.get(code) or CATALOG["internal"]
    status = status or entry.status
    body: dict[str, Any] = {
        "type": f"/problems/{entry.code}",
        "title": entry.title if status == entry.status else HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": entry.code,
        "outcome": entry.outcome,
        "retryable": entry.retryable,
        "hint": entry.remedy,
        **(extra or {}),
    }
    found = {"Cache-Control": "no-store", **(headers or {})}
    facts = body.get("facts") or {}
    if seconds := facts.get("retry_after_seconds") or _RETRY_SECONDS.get(entry.code):
        found["Retry-After"] = str(seconds)
    if status == HTTPStatus.UNAUTHORIZED:
        found.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(body, status_code=status, headers=found, media_type=MEDIA_TYPE)


def of_error(error: Exception, path: str) -> JSONResponse:
    """Return the problem that an exception is."""
    if isinstance(error, OrderkitError):
        extra: dict[str, Any] = {"outcome": error.outcome, "hint": error.remedy}
        if error.field:
            extra["field"] = error.field
        if error.facts:
            extra["facts"] = error.facts
        return problem(error.code, error.message, path=path, extra=extra)
    if isinstance(error, RequestValidationError):
        return _of_validation(error, path)
    if isinstance(error, StarletteHTTPException):
        unknown = "internal" if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_input"
        code = _BY_STATUS.get(error.status_code, unknown)
        return problem(code, str(error.detail), path=path, status=error.status_code, headers=error.headers)
    return problem("internal", "an unexpected fault", path=path)


def _of_validation(error: RequestValidationError, path: str) -> JSONResponse:
    found = [{"pointer": _pointer(one), "in": str(one["loc"][0]), "detail": one["msg"]} for one in error.errors()]
    malformed = any(one["type"] in _MALFORMED or one["type"].endswith(_UNREADABLE) for one in error.errors())
    code = "malformed" if malformed else "invalid_input"
    if any("idempotency-key" in str(one["loc"]).lower() for one in error.errors()):
        code = "invalid_key"
    detail = "; ".join(f"{one['pointer'] or one['in']}: {one['detail']}" for one in found)
    return problem(code, detail, path=path, extra={"errors": found})


def _pointer(one: Mapping[str, Any]) -> str:
    """Return the JSON pointer of a part; a body that is no JSON has no parts."""
    return "" if one["type"] == "json_invalid" else "".join(f"/{part}" for part in one["loc"][1:])


class ProblemRoute(APIRoute):
    """A route whose errors are problems."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler so that what it raises becomes a response."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except (OrderkitError, RequestValidationError, HTTPException) as error:
                return of_error(error, request.url.path)

        return handled


def add_problem_handlers(app: FastAPI) -> None:
    """Make unknown paths, wrong methods, errors of the host's own routes and bugs problems too; bugs still reach the server's log."""

    async def handler(request: Request, error: Exception) -> Response:
        return of_error(error, request.url.path)

    for kind in (OrderkitError, RequestValidationError, StarletteHTTPException, Exception):
        app.add_exception_handler(kind, handler)
