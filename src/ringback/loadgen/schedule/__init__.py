"""When arrivals are due: scenarios, the plan of a run, the arrival rate over time, arrival processes. Pure values."""
