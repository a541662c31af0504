"""The few basics that both halves use, on the standard library alone."""
