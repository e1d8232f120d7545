"""What a user would write or install instead. Each program runs in an environment of its own, and none of them imports orderkit's core."""
