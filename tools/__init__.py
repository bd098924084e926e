"""What people use around the gateway: simulators, the reference platform, profile tools."""
