"""What measurements mean: the load section, limits, baseline, capacity, reasons why a run is inconclusive. Pure."""
