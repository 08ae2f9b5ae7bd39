"""`countersign completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from service.cli.failures import fail

PROGRAM = "countersign"
VARIABLE = "_COUNTERSIGN_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script by which a shell completes commands.

    Put it where the shell looks for such scripts: below, for those of one's own.

    \b
    Examples:
      cd ~/.local/share/bash-completion/completions
      countersign completion bash > countersign
      countersign completion zsh > ~/.zfunc/_countersign
      countersign completion fish > ~/.config/fish/completions/countersign.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        fail(f"This version of click completes nothing in {shell}.")
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
