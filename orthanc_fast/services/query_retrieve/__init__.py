"""What C-FIND, C-MOVE and C-GET of others mean here: which resources they name, what is answered."""
