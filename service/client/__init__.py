"""A typed client of the HTTP API, for other programs and for the command line.

It imports nothing else of Countersign. `Client` waits for each answer; `AsyncClient` is awaited.
"""

from service.client.asynchronous import AsyncClient
from service.client.errors import ClientError
from service.client.requests import Image
from service.client.retries import Retries
from service.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "ClientError", "Image", "Retries"]
