"""What measurements mean: limits, baseline, capacity, reasons why a run is inconclusive. Pure."""
