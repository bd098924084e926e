"""How a profile comes to be: drafts from tables and questions, the schema, the CBOR."""
