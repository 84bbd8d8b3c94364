"""The figures of a load run while it lasts, for Prometheus and OTLP.

The generator only makes readings (`reading`), a few milliseconds' work twice a second. What serves or sends them runs
in another process: the generator's parent, or under plain Locust a process of its own (`__main__`). A scrape of some
6,000 samples takes as long as hundreds of requests; in the generator it would make them late.
"""
