"""From requests to commands: launches, uploads, and what a request describes instead of naming it."""
