"""What was measured: histograms, windows, figures of the load section, whether the generator was the limit. Pure."""
