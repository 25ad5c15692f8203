"""The store as folders and files, as WebDAV shows it."""
