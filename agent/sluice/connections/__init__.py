"""Service connections: their types, the store with sealed secrets, verification, usage history."""
