"""Run records and the orchestrator: what may start next, what waits, what is over."""
