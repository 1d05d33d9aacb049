"""Bringing the stack up, changing it and taking it down, each through what a person sees first."""
