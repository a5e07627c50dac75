"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from locnet import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Telemetry:
    """The service's metrics, in a registry of their own."""

    def __init__(self, inside: Callable[[], float]) -> None:
        """Set up.

        Args:
            inside: images that are in the house just now.
        """
        self.registry = place = CollectorRegistry()
        self.requests = Counter("locnet_requests", "Answered requests to /predict", ["status"], registry=place)
        self.images = Counter("locnet_images", "Images that got an answer", registry=place)
        said = "From the request to its answer"
        self.seconds = Histogram("locnet_request_seconds", said, buckets=_SECONDS, registry=place)
        self.forward = Histogram("locnet_forward_seconds", "A batch in the network", buckets=_SECONDS, registry=place)
        sizes = (1, 2, 4, 8, 16, 32, 64, 128)
        self.batch = Histogram("locnet_batch_images", "Images in a batch", buckets=sizes, registry=place)
        Gauge("locnet_images_inside", "Images that wait or are worked on", registry=place).set_function(inside)
        Gauge("locnet_build_info", "Always 1", ["version"], registry=place).labels(__version__).set(1)

    def page(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
