"""What a user needs before the first check: a configuration made from a curl command, and a look at the way there.

- `words`: the words of a command line that was copied from a document, a terminal or a browser;
- `curl`: the request that a curl command sends;
- `draft`: a configuration that is being made, which never holds a secret.
"""
