"""Several processes that share one load run: the protocol between master and workers, on messages of Locust."""
