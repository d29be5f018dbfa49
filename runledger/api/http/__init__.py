"""What belongs to HTTP itself, whatever the noun: the front door, parameters, errors, ETags, OpenAPI."""
