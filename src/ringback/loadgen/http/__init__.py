"""How triggers and polls are sent: connections, their pool, requests on the wire, and the client above them."""
