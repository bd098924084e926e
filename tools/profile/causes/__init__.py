"""Why a value looks wrong: other orders, neighbours and scales, and which looks right."""
