"""What exit codes mean, and how a known error becomes one clear message without a traceback.

An error that nobody foresaw keeps its traceback: it is a fault of ours, and is found that way.
"""

from typing import Any, NoReturn

import click

from encoder.errors import EncoderError, FailureToAcquire
from index.errors import GalleryError
from service.cli.regions import choices
from service.errors import ServiceError

EXIT_NO = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


class Failure(click.ClickException):
    """Ends a command with exit code 2 and a message on stderr."""

    exit_code = EXIT_ERROR


class CommandLine(click.Group):
    """The root group: maps the errors of the three packages to exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a known error ends in exit code 2, Ctrl-C in 130."""
        try:
            return super().invoke(ctx)
        except FailureToAcquire as error:
            fail(f"{error}\nAdd {choices(error.boxes)}." if error.boxes else str(error))
        except (EncoderError, GalleryError, ServiceError) as error:
            fail(str(error))
        except BrokenPipeError:
            raise  # The reader of our output has gone; click ends the command quietly.
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            fail(f"{what}{error.strerror or error}.")
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(EXIT_INTERRUPTED)


def fail(message: str) -> NoReturn:
    """End the command with exit code 2 and `message` on stderr.

    Raises:
        Failure: always.
    """
    raise Failure(message) from None
