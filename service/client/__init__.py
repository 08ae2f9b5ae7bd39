"""A typed client of the HTTP API, for other programs and for the command line.

It imports nothing else of Countersign. `Client` waits for each answer; `AsyncClient` is awaited.
What answers look like can be read without loading what sends requests.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client.asynchronous import AsyncClient
    from service.client.errors import ClientError
    from service.client.requests import Image
    from service.client.retries import Retries
    from service.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "ClientError", "Image", "Retries"]

_MODULES = {
    "AsyncClient": "asynchronous",
    "Client": "synchronous",
    "ClientError": "errors",
    "Image": "requests",
    "Retries": "retries",
}


def __getattr__(name: str) -> object:
    """Load a name of this package when it is first asked for.

    Raises:
        AttributeError: it has no such name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
