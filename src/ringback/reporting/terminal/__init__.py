"""What people see on a terminal: plan, progress, report, comparison and replay."""
