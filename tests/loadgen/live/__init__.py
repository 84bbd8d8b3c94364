"""Live metrics: what a run looks like in Prometheus and at an OTLP receiver."""
