"""Ray, started and stopped again or joined, and kept quiet: no dashboard, no usage statistics, no log lines."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import SentimentError

_OBJECT_STORE_BYTES = 256 << 20  # for the model and the records of finished blocks
_SECONDS_TO_ANSWER = 20
_SETTINGS = {
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # what raylets say of dead workers, on standard output
    "RAY_TQDM_PATCH_PRINT": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # of what it prints here; its own log files stay
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the default changes and says so
}


def imported_ray() -> Any:
    """Import Ray with its telemetry off; return ``ray``, with ``ray.data``.

    Raises:
        SentimentError: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SentimentError(
            f"--engine ray: needs packages that are not installed ({error}); pip install 'gru-sentiment[distributed]'"
        ) from error
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return ray


@contextmanager
def ray_session(ray: Any, address: str | None, workers: int | None) -> Iterator[int]:
    """Start Ray on this machine, or join a cluster; leave it as it was.

    A process that has joined Ray before stays so.

    Args:
        ray: as :func:`imported_ray` gives it.
        address: of a running cluster; None starts Ray here and stops it at the end.
        workers: asked for; None for one on each core.

    Yields:
        how many workers there can be.

    Raises:
        SentimentError: the cluster cannot be reached, or Ray does not start.
    """
    if ray.is_initialized():
        yield workers or _cores_of(ray)
        return
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is None:
            workers = workers or _cores_here()
            with _silent():
                ray.init("local", num_cpus=workers, object_store_memory=_OBJECT_STORE_BYTES, **quiet)
        else:
            _check_address(address)
            del quiet["include_dashboard"]
            with _silent():
                ray.init(address, **quiet)
            workers = workers or _cores_of(ray)
    except (ConnectionError, OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        place = "on this machine" if address is None else f"at {address}"
        reason = str(error).strip().split("\n")[0][:200]
        remedy = "free memory and disk" if address is None else "check --ray-address and that the cluster runs"
        raise SentimentError(f"Ray {place}: does not answer ({reason}); {remedy}") from error
    try:
        yield workers
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Connect to an address for a moment; Ray itself would try for five minutes.

    Raises:
        OSError: nobody answers there.
        ValueError: it is no address.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if address in ("auto", "local") or not colon:
        return
    socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()


@contextmanager
def _silent() -> Iterator[None]:
    """Drop what native code writes to standard error: while Ray starts, a line on the level of its log."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def quiet_context(ray: Any) -> None:
    """Have Ray Data say nothing of its own while it runs."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _cores_of(ray: Any) -> int:
    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


def _cores_here() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
