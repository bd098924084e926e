"""From durable records to the platform, until it has acknowledged them."""
