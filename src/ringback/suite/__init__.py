"""The contract suite's machinery: probes, the campaign that sends them, the watch over calls, the pytest plugin."""
