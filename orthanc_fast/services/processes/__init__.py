"""What each kind of process opens of the store, and in which order it closes it."""
