"""Conversations of triggers and polls in any order: a Hypothesis state machine with a model of what is known."""
