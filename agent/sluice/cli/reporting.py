"""The one place where errors become a line on stderr and an exit status."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import click

from sluice.cli.output import plain
from sluice.errors import ExitCode, SluiceError

_OUTPUT = frozenset({errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT, errno.ENXIO})
"""What a write to a full disk, or to a terminal that has gone, meets."""

_SURROGATES = "surrogates not allowed"
"""What Python says of an argument's bytes that are no UTF-8, once they are to be stored or sent."""


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
    except UnicodeEncodeError as error:
        if debug or error.reason != _SURROGATES:
            raise
        _say("a text that was given holds bytes that are no UTF-8: write it in UTF-8")
        raise SystemExit(ExitCode.USAGE) from None
    except BrokenPipeError:  # whoever read our output has gone
        silence(sys.stdout)
        raise SystemExit(ExitCode.FAILED) from None
    except OSError as error:
        if debug:
            raise
        silence(sys.stdout)
        unwritten = error.filename is None and error.errno in _OUTPUT
        place = "the output cannot be written" if unwritten else error.filename
        _say(f"{place}: {error.strerror or error}" if place else str(error))
        raise SystemExit(ExitCode.FAILED) from None


def open_streams() -> None:
    """Give a process that was started without standard streams ones that lead nowhere.

    Their numbers would otherwise go to the next file that is opened, such as the database. Says so of the output.
    """
    unheard = sys.stdout is None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))
    if unheard:
        _say("standard output is closed: nothing is shown")


def settle() -> None:
    """Write what is still to be written, or give it up: at its exit Python would make a failure of it (status 120)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            silence(stream)


def silence(stream: TextIO) -> None:
    """Let what is still to be written to a stream go nowhere: Python would complain again when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def tell(error: SluiceError) -> None:
    """Say on stderr what went wrong, where, and what to do."""
    for line in str(error).splitlines():
        _say(line)


def _report(error: SluiceError, *, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exception(error)
    else:
        tell(error)
    raise SystemExit(error.exit_code) from None


def _say(text: str) -> None:
    # a pipeline's or a far side's text may be in it: it must not steer the terminal
    try:
        sys.stderr.write(f"sluice: {plain(text)}\n")
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)
