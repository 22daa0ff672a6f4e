"""What plugins declare and receive, and the host that loads them."""
