"""Where a job goes: this machine, or a pool of machines."""
