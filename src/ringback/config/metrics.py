"""The section `[metrics]`."""

from __future__ import annotations

from ringback.config.scalars import ListenAddress, MetricsReceiver, Seconds
from ringback.config.section import Section

__all__ = ["Metrics"]


class Metrics(Section):
    """Who gets the figures of a load run while it lasts; by default nobody."""

    prometheus: ListenAddress | None = None
    """Where Prometheus may scrape them."""
    linger: Seconds | None = None
    """How long to wait, after a run, for Prometheus to scrape its last figures."""
    otlp: MetricsReceiver | None = None
    """The URL of an OTLP receiver; `env`: the one that `OTEL_EXPORTER_OTLP_ENDPOINT` names."""

    @property
    def wanted(self) -> bool:
        """Whether anybody gets figures."""
        return self.prometheus is not None or self.otlp is not None
