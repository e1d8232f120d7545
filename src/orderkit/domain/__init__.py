"""The order domain: frozen values and pure functions. It knows no clock, no randomness, no storage and no network."""
