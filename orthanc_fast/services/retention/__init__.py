"""What leaves the store: deletion, recycling, protection, housekeeping."""
