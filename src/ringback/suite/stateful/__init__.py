"""Triggers and polls in any order: a Hypothesis state machine, and a model of what is known of each call."""
