"""Other servers: modalities and webhooks."""
