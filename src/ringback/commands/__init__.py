"""What each of Ringback's commands does, behind the command line that `ringback.cli` defines."""
