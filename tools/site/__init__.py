"""What a technician asks about a site file before anything runs."""
