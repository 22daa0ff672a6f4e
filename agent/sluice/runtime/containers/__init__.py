"""Containers of a job: started before its steps, used by them, and gone with it."""
