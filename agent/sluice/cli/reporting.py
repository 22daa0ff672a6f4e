"""The one place where errors become a line on stderr and an exit status."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from sluice.cli.output import plain
from sluice.errors import ExitCode, SluiceError


@contextlib.contextmanager
def reported(*, debug: bool) -> Iterator[None]:
    """Turn errors that leave the block into a line on stderr and an exit status; bugs keep their traceback."""
    try:
        yield
    except SluiceError as error:
        _report(error, debug=debug)
    except click.exceptions.Exit as leave:
        raise SystemExit(leave.exit_code) from None
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # the help, which is ours
        raise SystemExit(ExitCode.USAGE) from None
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "sluice"
        message = error.format_message().rstrip(".")
        _say(f"{message[:1].lower()}{message[1:]} (see '{command} --help')" if "--help" not in message else message)
        raise SystemExit(ExitCode.USAGE) from None
    except click.ClickException as error:
        _say(error.format_message())
        raise SystemExit(ExitCode.USAGE) from None
    except (click.Abort, KeyboardInterrupt):
        if debug:
            raise
        _say("canceled")
        raise SystemExit(ExitCode.CANCELED) from None
    except BrokenPipeError:
        # whoever read our output has gone; Python would complain again when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(ExitCode.FAILED) from None


def _report(error: SluiceError, *, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exception(error)
    else:
        for line in str(error).splitlines():
            _say(line)
    raise SystemExit(error.exit_code) from None


def _say(text: str) -> None:
    # a pipeline's or a far side's text may be in it: it must not steer the terminal
    sys.stderr.write(f"sluice: {plain(text)}\n")
