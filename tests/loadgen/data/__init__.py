"""Tests of the variables that calls of a load run get from a file."""
