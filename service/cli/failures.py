"""What exit codes mean, and how a known error becomes one clear message without a traceback.

With --json the message is a problem of RFC 9457, on stderr as the text is: stdout holds answers
alone, so what reads them never takes an error for one. An error that nobody foresaw keeps its
traceback: it is a fault of ours, and is found that way.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from encoder.errors import EncoderError, FailureToAcquire, ImageError
from index.errors import GalleryError
from service.cli.regions import choices
from service.errors import ImagesRefused, ServiceError
from service.problems import INTERNAL, TYPE_PREFIX, problem_of

EXIT_NO = 1
EXIT_ERROR = 2
EXIT_INCONCLUSIVE = 3
EXIT_REFUSED = 4
EXIT_INTERRUPTED = 130

_AS_JSON = "service.cli.failures.as_json"


class Failure(click.ClickException):
    """Ends a command with a message on stderr.

    Attributes:
        exit_code: what the command ends with.
        problem: the same as RFC 9457 has it.
    """

    def __init__(
        self, message: str, exit_code: int = EXIT_ERROR, problem: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # Click reads it from the error.
        self.problem = problem or _problem("command-failed", "The command failed", message)


class CommandLine(click.Group):
    """The root group: maps the errors of the three packages to exit codes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take note of whether the command is to speak JSON, before it is known which it is."""
        options = args[: args.index("--")] if "--" in args else args
        ctx.meta[_AS_JSON] = "--json" in options
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a known error ends in its exit code, Ctrl-C in 130."""
        try:
            return self._invoke_with_failures(ctx)
        except click.ClickException as error:
            if not ctx.meta[_AS_JSON]:
                raise
            click.echo(json.dumps(_told(error), indent=2), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(EXIT_INTERRUPTED)

    def _invoke_with_failures(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (EncoderError, GalleryError, ServiceError) as error:
            raise failure_of(error) from None
        except BrokenPipeError:
            raise  # The reader of our output has gone; click ends the command quietly.
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            fail(f"{what}{error.strerror or error}.")


def failure_of(error: Exception) -> Failure:
    """Return the end of a command for an error of the three packages."""
    refused = isinstance(error, ImageError | ImagesRefused)
    message = str(error)
    if isinstance(error, FailureToAcquire) and error.boxes:
        message += f"\nAdd {choices(error.boxes)}."
    return Failure(message, EXIT_REFUSED if refused else EXIT_ERROR, problem_here(error))


def problem_here(error: Exception) -> dict[str, Any]:
    """Return an error of the three packages as RFC 9457 has it; no request has an id here."""
    problem = problem_of(error)
    if problem.code == INTERNAL.code:
        # Whoever runs a command may read what a caller of the server may not.
        return _problem("command-failed", "The command failed", str(error))
    said = problem.as_dict("") | {"detail": str(error)}
    del said["instance"]
    return said


def fail(message: str, exit_code: int = EXIT_ERROR) -> NoReturn:
    """End the command with `message` on stderr.

    Raises:
        Failure: always.
    """
    raise Failure(message, exit_code) from None


def _told(error: click.ClickException) -> Mapping[str, Any]:
    if isinstance(error, Failure):
        return error.problem
    return _problem("wrong-usage", "The command is not used as expected", error.format_message())


def _problem(code: str, title: str, detail: str) -> dict[str, Any]:
    return {"type": TYPE_PREFIX + code, "title": title, "detail": detail, "code": code}
