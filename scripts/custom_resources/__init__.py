"""The steps of scripts/check-custom-resources: definitions, documents, and what checks the documents."""
