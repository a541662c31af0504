"""The data half: search results -> images -> faces -> shards. Never imports torch."""
