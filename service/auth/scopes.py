"""What a caller may do: the scopes, and how a route names the one that it needs."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args

Scope = Literal[
    "verify", "identify", "enroll", "read", "review", "audit", "erase", "metrics", "admin"
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
View = TypeVar("View", bound=Callable[..., Any])


def requires(scope: Scope) -> Callable[[View], View]:
    """Name the scope that a route needs; write it right above the function."""

    def mark(view: View) -> View:
        view.required_scope = scope  # type: ignore[attr-defined]
        return view

    return mark
