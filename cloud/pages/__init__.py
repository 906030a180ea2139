"""What people see of the fleet: pages drawn by the server, and the same as JSON for programs."""
