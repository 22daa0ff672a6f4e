"""For plugin authors and for us: a pytest plugin, a task runner for tests, a throw-away SSH host."""
