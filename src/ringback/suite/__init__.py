"""What the contract suite is made of: probes and the campaign that sends them, the watch over calls, pytest."""
