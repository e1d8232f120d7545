"""Who waits: the drivers that run flows, and the handlers that answer their effects."""
