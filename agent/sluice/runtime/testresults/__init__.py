"""Results of tests: read from files of several runners, counted and kept with the run."""
