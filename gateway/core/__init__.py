"""The vocabulary every room shares: time, errors, values, CBOR, log. Imports nothing of ours."""
