"""Resources, their metadata, labels and tags, and the logs of changes and exports."""
