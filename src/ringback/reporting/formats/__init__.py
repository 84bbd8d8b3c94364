"""The files that a run leaves for machines and pipelines, one module per format, and the notification."""
