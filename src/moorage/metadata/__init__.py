"""The SQL truth: tables, migrations and one file a noun."""
