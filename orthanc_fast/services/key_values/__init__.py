"""Key-value stores and queues of scripts."""
