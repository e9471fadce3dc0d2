"""Shared by the Python suites: `BOOTSTRAP PREFIX` as arguments, one line per check, exit status 1 when any failed."""

import sys
import time
import traceback

BOOTSTRAP, PREFIX = sys.argv[1:3]
PATIENCE_S = 20
failures = 0


def name(text):
    return PREFIX + text


def passed(check):
    print(f"ok {check}")


def failed(check, error):
    global failures
    failures += 1
    traceback.print_exception(error, file=sys.stderr)
    why = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(f"not ok {check}: {why}")


def check(label, body, *args):
    try:
        body(*args)
        passed(label)
    except Exception as error:  # every failure of a check is a line
        failed(label, error)


async def check_async(label, body, *args):
    try:
        await body(*args)
        passed(label)
    except Exception as error:
        failed(label, error)


def equal(expected, found, what):
    assert expected == found, f"{what}: expected {expected!r}, found {found!r}"


def raises(kind, body, *args):
    try:
        body(*args)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def until(condition, what):
    """Waits for what a broker does after it has answered."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def finish():
    sys.exit(1 if failures else 0)
