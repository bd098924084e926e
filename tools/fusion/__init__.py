"""The reference platform: takes packs, makes them durable, acknowledges, accounts."""
