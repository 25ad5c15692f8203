"""Users: passwords, guesses at them, sessions and share links."""
