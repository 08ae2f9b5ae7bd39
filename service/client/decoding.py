"""Makes frozen dataclasses of the API's JSON, by their type hints, and checks what came."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from service.client.errors import UnexpectedAnswer

Shown = TypeVar("Shown", bound="Answer")
Read = Callable[[Any, str], Any]

# JSON has one kind of number; a whole one may stand where a fraction can.
_PLAIN: Mapping[type, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float)}


@dataclass(frozen=True)
class Answer:
    """What the API answered, or a part of it.

    Attributes:
        raw: the JSON as it came, with fields that this version of the client does not know.
    """

    raw: Mapping[str, Any] = field(repr=False, compare=False, kw_only=True, default_factory=dict)

    @classmethod
    def of(cls, came: Any, where: str = "") -> Self:
        """Read the JSON of an answer, or of a part of it that is at `where`.

        Raises:
            UnexpectedAnswer: a field is missing or of another type; the message names it.
        """
        where = where or cls.__name__
        if not isinstance(came, Mapping):
            raise _unexpected(where, "an object", came)
        values = {
            name: _value(came, default, read, f"{where}.{name}")
            for name, (default, read) in _readers(cls).items()  # type: ignore[arg-type]  # A class can be hashed.
        }
        return cls(**values, raw=came)


def _value(came: Mapping[str, Any], default: Field[Any], read: Read, where: str) -> Any:
    if default.name in came:
        return read(came[default.name], where)
    if default.default is not MISSING:
        return default.default
    if default.default_factory is not MISSING:
        return default.default_factory()
    raise UnexpectedAnswer(
        f"{where}: expected this field in the answer; it is missing. Is the server a Countersign "
        "of another version?"
    )


@cache
def _readers(kind: type[Answer]) -> dict[str, tuple[Field[Any], Read]]:
    hints = get_type_hints(kind)
    return {one.name: (one, _reader(hints[one.name])) for one in fields(kind) if one.name != "raw"}


def _reader(hint: Any) -> Read:
    """Return what reads a value of a type from JSON."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (inner,) = (one for one in arguments if one is not NoneType)
        read = _reader(inner)
        return lambda came, where: None if came is None else read(came, where)
    if origin is tuple:
        read = _reader(arguments[0])
        return lambda came, where: _tuple(came, where, read)
    if origin is not None and origin is not Literal:
        read = _reader(arguments[1])
        return lambda came, where: _mapping(came, where, read)
    return _plain_reader(str if origin is Literal else hint)


def _plain_reader(hint: Any) -> Read:
    if is_dataclass(hint):
        return hint.of  # type: ignore[union-attr, no-any-return]  # All of them are answers.
    if hint is datetime:
        return _moment
    if hint is Any:
        return lambda came, _where: came
    return lambda came, where: _checked(came, where, hint)


def _checked(came: Any, where: str, kind: type) -> Any:
    # Python counts a bool as an int; JSON does not.
    if isinstance(came, bool) != (kind is bool) or not isinstance(came, _PLAIN.get(kind, (kind,))):
        raise _unexpected(where, kind.__name__, came)
    return came


def _moment(came: Any, where: str) -> datetime:
    try:
        return datetime.fromisoformat(came)
    except (TypeError, ValueError) as error:
        raise _unexpected(where, "a moment as in ISO 8601", came) from error


def _tuple(came: Any, where: str, read: Read) -> tuple[Any, ...]:
    if not isinstance(came, list):
        raise _unexpected(where, "a list", came)
    return tuple(read(one, f"{where}[{n}]") for n, one in enumerate(came))


def _mapping(came: Any, where: str, read: Read) -> dict[str, Any]:
    if not isinstance(came, Mapping):
        raise _unexpected(where, "an object", came)
    return {name: read(one, f"{where}.{name}") for name, one in came.items()}


def _unexpected(where: str, expected: str, came: Any) -> UnexpectedAnswer:
    # Not what came: it may be a name.
    return UnexpectedAnswer(f"{where}: expected {expected} in the answer; {_kind(came)} came.")


def _kind(came: Any) -> str:
    return "null" if came is None else type(came).__name__
