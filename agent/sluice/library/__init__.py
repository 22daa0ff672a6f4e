"""Variable groups: variables and sealed secrets that pipelines share, opened for those that are permitted."""
