"""The steps, one module each; `migrations` says how they come in pairs."""
