"""A recipe in the foreground, with no server: the spec completed as for a launch, all facts in a folder."""
