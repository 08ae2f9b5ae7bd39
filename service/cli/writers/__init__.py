"""Commands that enroll."""
