"""What was measured: histograms, windows, figures of the load section, and whether the generator was the limit. Pure."""
