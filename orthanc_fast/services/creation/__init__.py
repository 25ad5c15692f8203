"""New instances out of tags, images and documents."""
