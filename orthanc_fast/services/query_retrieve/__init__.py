"""What C-FIND, C-MOVE and C-GET of others mean here: what they name, what is answered."""
