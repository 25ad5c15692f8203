"""Jobs: work that is queued, watched and cancelled through any process of the server."""
