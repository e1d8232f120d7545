"""What the core needs of the world: effects that flows await, and the Protocols that adapters fulfill. One file for each port."""
