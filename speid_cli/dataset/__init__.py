"""The labelled pairs of a study: how they are put together, divided and stored."""
