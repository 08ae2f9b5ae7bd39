"""What a caller may do: the scopes, and how a route names the one that it needs."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar, get_args

Scope = Literal[
    "verify", "identify", "enroll", "read", "review", "audit", "erase", "metrics", "admin"
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# What a route needs where it is not a scope: nothing at all, or somebody signed in on the page.
OPEN: Final = "open"
SIGNED_IN: Final = "signed-in"
Need = Scope | Literal["open", "signed-in"]

Role = Literal["clerk", "reviewer", "auditor", "admin"]
ROLES: Mapping[str, frozenset[str]] = {
    "clerk": frozenset({"verify", "identify", "enroll", "read"}),
    "reviewer": frozenset({"verify", "read", "review"}),
    "auditor": frozenset({"read", "audit"}),
    "admin": frozenset(SCOPES),
}
View = TypeVar("View", bound=Callable[..., Any])


def requires(scope: Scope) -> Callable[[View], View]:
    """Name the scope that a route needs; write it right above the function."""
    return _marked(scope)


def open_to_all(view: View) -> View:
    """Mark a route that answers everybody; it tells of no writer."""
    return _marked(OPEN)(view)


def signed_in(view: View) -> View:
    """Mark a route that is about whoever is signed in on the page, whatever they may do."""
    return _marked(SIGNED_IN)(view)


def need_of(view: Callable[..., Any]) -> Need | None:
    """Return what a route needs; None for one that does not say, which nobody may call."""
    need: Need | None = getattr(view, "required_scope", None)
    return need


def _marked(need: Need) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.required_scope = need  # type: ignore[attr-defined]
        return view

    return mark
