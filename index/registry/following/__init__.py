"""What indexes read the registry by: all of it at one moment, and the lease to write to one."""
