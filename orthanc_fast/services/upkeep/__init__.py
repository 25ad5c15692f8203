"""What keeps a store alive over the years: a new index for its files, scrubbing, backups."""
