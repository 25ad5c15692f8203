"""The client side: for users of the server, not used by it."""
