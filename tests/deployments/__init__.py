"""Deployments to try Ringback on: the sandbox and seven programs that share no code with it or with each other."""
