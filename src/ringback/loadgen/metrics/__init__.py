"""What was measured: histograms, windows, the load section, and whether the generator was the limit. Pure."""
