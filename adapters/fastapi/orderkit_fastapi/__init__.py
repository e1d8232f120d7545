"""orderkit behind FastAPI: a router that carries its own lifespan, and errors as problem+json."""

from orderkit_fastapi.access import Actor
from orderkit_fastapi.problems import ProblemRoute, add_problem_handlers
from orderkit_fastapi.router import orders_router, shop_of

__all__ = ["Actor", "ProblemRoute", "add_problem_handlers", "orders_router", "shop_of"]
