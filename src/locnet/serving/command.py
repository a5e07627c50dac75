"""What `python -m locnet.serve` does: is everything there that it takes, and then the server."""

from __future__ import annotations

from importlib.util import find_spec

from locnet.config.app import Job, JobResult
from locnet.errors import ConfigError

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(job: Job) -> JobResult:
    """Answer requests until a signal comes, and then those that are in the house.

    Raises:
        LocnetError: a package is missing, the checkpoint cannot be used, or the port is taken.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"locnet.serve needs {', '.join(missing)}: pip install 'locnet[serve]'")
    from locnet.serving.server import serve as run

    return run(job)
