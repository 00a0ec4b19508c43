"""The REST door: identities, limits, problems, and the routes under /api/v1."""
