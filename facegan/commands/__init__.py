"""One file a command: options -> one dataclass -> one call -> rendered result. No logic."""
