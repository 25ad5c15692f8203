"""Storage commitment in both roles: what others ask us to keep, and what we have asked of them."""
