"""Readers of what others wrote, under a fuzzer that watches which branches its input takes."""
